"""Sentences of the disk floor and the cache: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "disk_full": (
        "No space left to write {path} ({free} free on its disk). What was there before is intact; "
        "free some space and try again.",
        "磁盘已满，无法写入 {path}（所在磁盘剩余 {free}）。原有文件完好无损；请清理出空间后重试。",
    ),
    "disk_write_failed": (
        "Cannot write {path}: {reason}. What was there before is intact; check the folder and its "
        "disk, then try again.",
        "无法写入 {path}：{reason}。原有文件完好无损；请检查该文件夹及其磁盘后重试。",
    ),
    "disk_sync_failed": (
        "{path} was changed, but the disk did not confirm it ({reason}) and a power cut may undo it; "
        "check the disk (dmesg), then save again.",
        "{path} 已更改，但磁盘未确认落盘（{reason}），断电后可能丢失这次更改；请检查磁盘（dmesg）后重新保存。",
    ),
    "disk_keep_failed": (
        "{path} was saved, but the state before it could not be kept as {previous}: {reason}. Check "
        "the folder and its permissions.",
        "{path} 已保存，但无法把上一份状态保留为 {previous}：{reason}。请检查该文件夹及其权限。",
    ),
    "disk_read_failed": (
        "Cannot read {path}: {reason}. Check that it exists, its permissions and its disk.",
        "无法读取 {path}：{reason}。请检查它是否存在、权限是否正确、磁盘是否正常。",
    ),
    "disk_not_a_file": (
        "{path} is not a regular file; name the file itself.",
        "{path} 不是普通文件；请给出文件本身的路径。",
    ),
    "disk_copy_differs": (
        "The copy {path} differs from {source} when read back, and was not kept; check the disk it was "
        "written to (dmesg), or copy to another.",
        "回读校验发现副本 {path} 与 {source} 不一致，副本未保留；请检查目标磁盘（dmesg），或换一块磁盘再复制。",
    ),
    "disk_move_failed": (
        "Cannot move {path}: {reason}. It is still where it was; check the folder and its permissions.",
        "无法移动 {path}：{reason}。文件仍在原处；请检查该文件夹及其权限。",
    ),
    "disk_exists": (
        "Cannot move {path} to {destination}: that name is taken, and nothing is ever overwritten; "
        "choose another name.",
        "无法把 {path} 移动到 {destination}：该名称已被占用，且绝不覆盖已有内容；请换一个名称。",
    ),
    "disk_remove_failed": (
        "Cannot remove {path}: {reason}. Check the folder and its permissions.",
        "无法删除 {path}：{reason}。请检查该文件夹及其权限。",
    ),
    "disk_folder_failed": (
        "Cannot make the folder {path}: {reason}. Choose a folder you may write to.",
        "无法创建文件夹 {path}：{reason}。请选择一个有写入权限的位置。",
    ),
    "disk_not_a_folder": (
        "{path} is a file, not a folder; move it away or choose another folder.",
        "{path} 是文件而不是文件夹；请把它移走，或换一个文件夹。",
    ),
    "disk_space_short": (
        "Not enough space in {path}: {needed} needed, {free} free. Free some space, delete old "
        "checkpoints (unbroken prune), or choose another disk.",
        "{path} 空间不足：需要 {needed}，剩余 {free}。请清理磁盘、删除旧检查点（unbroken prune），或换一块磁盘。",
    ),
    "disk_space_unknown": (
        "Cannot ask for the free space of {path}: {reason}. Check the path and that its disk is mounted.",
        "无法查询 {path} 的剩余空间：{reason}。请检查路径，并确认磁盘已挂载。",
    ),
    "disk_lock_failed": (
        "Cannot open the lock {path}: {reason}. Check that you may write to its folder.",
        "无法打开锁文件 {path}：{reason}。请检查该文件夹是否可写。",
    ),
    "disk_lock_unsupported": (
        "The file system of {path} knows no locks: make sure that only one training run uses this folder.",
        "{path} 所在的文件系统不支持文件锁：请自行确保同一时间只有一个训练使用该文件夹。",
    ),
    "folder_locked": (
        "{path} is in use by another training run (pid {pid} on {host}, since {started}); wait for it "
        "to end or stop it, or choose another folder.",
        "{path} 正被另一个训练占用（主机 {host}，进程 {pid}，开始于 {started}）；请等它结束或将其停止，"
        "或换一个文件夹。",
    ),
    "folder_locked_here": (
        "{path} is already in use by a run in this same process; close that run first or choose another folder.",
        "{path} 已被本进程中的另一个训练占用；请先结束它，或换一个文件夹。",
    ),
    "cache_reused": (
        "Preprocessed data reused from {path} ({count} arrays, {size}).",
        "已复用预处理缓存 {path}（{count} 个数组，{size}）。",
    ),
    "cache_built": (
        "Data preprocessed and cached in {path} ({count} arrays, {size}).",
        "数据已完成预处理并缓存到 {path}（{count} 个数组，{size}）。",
    ),
    "cache_returned": (
        "The cache set aside earlier as {aside} fits again: it is back as {path}, nothing was preprocessed.",
        "先前另存为 {aside} 的缓存与当前设置一致：已恢复为 {path}，无需重新预处理。",
    ),
    "cache_outdated": (
        "The cache {path} was made from other data or parameters ({changes}) and is not used; it will be "
        "kept as {aside}, delete it when you no longer need it.",
        "缓存 {path} 对应的数据或参数不同（{changes}），不予使用；将保留为 {aside}，不再需要时可自行删除。",
    ),
    "cache_damaged": (
        "The cache {path} is damaged ({reason}) and is not used; it will be kept as {aside}, delete it when "
        "you no longer need it.",
        "缓存 {path} 已损坏（{reason}），不予使用；将保留为 {aside}，不再需要时可自行删除。",
    ),
    "cache_foreign": (
        "{path} does not say which data it was made from and is not used; it will be kept as {aside}, delete "
        "it when you no longer need it.",
        "{path} 没有记录由哪些数据生成，不予使用；将保留为 {aside}，不再需要时可自行删除。",
    ),
    "cache_not_written": (
        "The preprocessed data could not be cached, training goes on from memory: {reason}",
        "预处理结果未能写入缓存，将直接使用内存中的数据继续训练：{reason}",
    ),
    "cache_reason_content": (
        "its content does not match its digest",
        "内容与记录的校验值不符",
    ),
    "cache_reason_expands": (
        "its list of contents claims {claimed} in a file of {size}, or is compressed, which it never is as it is written here",
        "其内容清单声称有 {claimed}，而文件只有 {size}，或者被压缩过，而本程序从不压缩它",
    ),
    "cache_reason_structure": (
        "not a whole npz file: {detail}",
        "不是完整的 npz 文件：{detail}",
    ),
    "cache_key_unusable": (
        "The key of the cache {path} must be made of text, numbers, lists and mappings: {detail}.",
        "缓存 {path} 的 key 只能由文本、数字、列表和映射组成：{detail}。",
    ),
    "cache_array_unusable": (
        "{name} cannot be cached in {path}: {detail}. Return named arrays of numbers, text or dates.",
        "{name} 无法写入缓存 {path}：{detail}。请返回由数字、文本或日期构成的命名数组。",
    ),
    "cache_not_a_file": (
        "The cache {path} is a folder or device; name a file.",
        "缓存路径 {path} 是文件夹或设备；请给出文件名。",
    ),
}
