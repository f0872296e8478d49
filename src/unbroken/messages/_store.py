"""Sentences of the store floor: key -> (English, Chinese)."""


def _damaged(english: str, chinese: str) -> tuple[str, str]:
    """A file that is not, or no longer, a checkpoint: what is wrong with it, and that it was left alone."""
    return (
        "{path} was not loaded: " + english + ". unbroken list shows which other checkpoints there are.",
        "未加载 {path}：" + chinese + "。可用 unbroken list 查看其他检查点。",
    )


SENTENCES: dict[str, tuple[str, str]] = {
    "store_empty": _damaged("the file is empty (0 bytes)", "文件是空的（0 字节）"),
    "store_zeros": _damaged(
        "the file holds zeros where data should be, as after a power cut or a failed disk",
        "文件内容全是零，常见于断电或磁盘故障之后",
    ),
    "store_truncated": _damaged(
        "the file is cut off or overwritten at its end (it has {size} bytes), as by an interrupted copy or a full disk",
        "文件末尾缺失或被改写（现有 {size} 字节），常见于复制中断或磁盘写满",
    ),
    "store_crc": _damaged(
        "the bytes of {member} have changed since they were written (checksum mismatch)",
        "{member} 的内容与写入时不同（校验和不符）",
    ),
    "store_layout": _damaged(
        "its zip structure is damaged ({detail})",
        "文件的 zip 结构已损坏（{detail}）",
    ),
    "store_local_header": _damaged("the zip header of {member} is damaged", "{member} 的 zip 文件头已损坏"),
    "store_member_outside": _damaged(
        "{member} claims bytes that are not its own, or lie outside the file",
        "{member} 声称的数据不属于它，或超出了文件范围",
    ),
    "store_duplicate_member": _damaged(
        "it holds {member} twice; torch never writes such a file, do not trust it",
        "其中 {member} 出现了两次；torch 不会写出这样的文件，请勿信任它",
    ),
    "store_compressed": _damaged(
        "{member} is compressed or encrypted; torch never writes such a file (was it zipped again?)",
        "{member} 被压缩或加密；torch 不会写出这样的文件（是否被重新打包过？）",
    ),
    "store_not_torch": _damaged("it is not a file written by torch.save", "它不是由 torch.save 写出的文件"),
    "store_legacy": (
        "{path} was not loaded: it has the format of torch before 1.6. If you trust it, open it with torch.load "
        "and write it again with torch.save.",
        "未加载 {path}：它是 torch 1.6 之前的旧格式。若来源可信，请用 torch.load 打开后再用 torch.save 重新保存。",
    ),
    "store_global": (
        "{path} was not loaded: it wants to call {detail}, which no checkpoint needs and which could run any code. "
        "Nothing was run; do not trust the file.",
        "未加载 {path}：它要求调用 {detail}，检查点不需要它，且它可能执行任意代码。没有执行任何代码；请勿信任该文件。",
    ),
    "store_numpy": (
        "{path} was not loaded: it holds a NumPy object ({detail}), which torch.load(weights_only=True) does not open "
        "either. Where it was written, save numbers with float(x) and arrays with torch.from_numpy(x).",
        "未加载 {path}：其中含有 NumPy 对象（{detail}），torch.load(weights_only=True) 同样无法打开。请在保存它的程序里"
        "用 float(x) 保存数值，用 torch.from_numpy(x) 保存数组。",
    ),
    "store_unsupported": (
        "{path} was not loaded: it holds a {detail}, which is not plain training state. Where it was written, save "
        "state_dict() and plain tensors, numbers, text, lists and dicts.",
        "未加载 {path}：其中含有 {detail}，不属于普通的训练状态。请在保存它的程序里保存 state_dict() "
        "以及普通的张量、数字、文本、列表和字典。",
    ),
    "store_opcode": (
        "{path} was not loaded: its pickle holds an instruction that torch.save does not write for plain state "
        "({detail}). Nothing was run; save plain tensors, numbers, text, lists and dicts.",
        "未加载 {path}：其 pickle 含有 torch.save 保存普通状态时不会写出的指令（{detail}）。没有执行任何代码；"
        "请只保存张量、数字、文本、列表和字典。",
    ),
    "store_pickle": _damaged(
        "its pickle is not one of plain state ({detail})",
        "其 pickle 不是普通的训练状态（{detail}）",
    ),
    "store_storage": _damaged(
        "it claims more tensor data than it holds ({detail})",
        "它声称的张量数据多于文件实际所含（{detail}）",
    ),
    "store_tensor": _damaged(
        "it claims a tensor larger than its data ({detail})",
        "其中某个张量声称的大小超过了它的数据（{detail}）",
    ),
    "store_torch_refused": _damaged(
        "the file is whole, but this version of torch does not open it ({reason})",
        "文件完整，但当前版本的 torch 无法打开（{reason}）",
    ),
    "store_not_a_dict": _damaged(
        "it holds a {kind}, not a dict of training state",
        "其内容是 {kind}，而不是训练状态字典",
    ),
    "store_keys_missing": _damaged(
        "it is not a training checkpoint, these keys are missing: {keys}",
        "它不是训练检查点，缺少这些键：{keys}",
    ),
    "store_keys_wrong": _damaged(
        "these keys do not hold what a checkpoint must: {keys}",
        "以下键的内容不符合检查点的要求：{keys}",
    ),
    "store_format_newer": (
        "{path} was not loaded: it was written by a newer version of this library (format {found}; this one reads "
        "up to {known}). Upgrade with: pip install -U unbroken",
        "未加载 {path}：它由本库的更新版本写出（格式 {found}，当前最高支持 {known}）。请升级：pip install -U unbroken",
    ),
    "store_not_regular": _damaged(
        "it is not a regular file (but a pipe, a device, a socket or a link to nothing)",
        "它不是普通文件（而是管道、设备、套接字或失效的链接）",
    ),
    "store_link_outside": (
        "{path} was not loaded: it is a link that leads out of its folder. If you trust {target}, give that path "
        "itself, or put a copy of it in the link's place.",
        "未加载 {path}：它是指向文件夹之外的链接。若信任 {target}，请直接给出该路径，或用它的副本替换该链接。",
    ),
    "store_link_nowhere": (
        "{path} was not loaded: it is a link to {target}, which is not there (is its disk mounted?). unbroken list shows "
        "which other checkpoints there are.",
        "未加载 {path}：它是指向 {target} 的链接，而后者不存在（其磁盘是否已挂载？）。可用 unbroken list 查看其他检查点。",
    ),
    "store_link_undecided": (
        "{path} is a link out of its folder to {target}, which may be the newest state; nothing was changed. Put a copy "
        "of that file in the link's place to go on with it, or remove the link to go on without it.",
        "{path} 是指向文件夹之外 {target} 的链接，其中可能是最新的状态；未作任何改动。若要从它继续，请用该文件的副本替换此链接；"
        "否则请删除此链接。",
    ),
    "store_is_folder": (
        "{path} is a folder, not a checkpoint. Give a .pth file in it, or leave the path out to resume from the "
        "newest.",
        "{path} 是文件夹，不是检查点。请给出其中的某个 .pth 文件，或不指定路径以从最新的检查点恢复。",
    ),
    "store_read_error": _damaged(
        "the disk cannot read all of it ({reason}); check the disk (dmesg)",
        "磁盘无法完整读取该文件（{reason}）；请检查磁盘（dmesg）",
    ),
    "store_unreadable": (
        "Cannot read {path}: {reason}. Check its permissions and its disk.",
        "无法读取 {path}：{reason}。请检查其权限和所在磁盘。",
    ),
    "store_folder_unreadable": (
        "Cannot look into {path}: {reason}. Check its permissions and its disk.",
        "无法查看 {path}：{reason}。请检查其权限和所在磁盘。",
    ),
    "store_folder_unwritable": (
        "Cannot write into {path}: {reason}. Checkpoints could not be saved there; fix its permissions or choose "
        "another folder.",
        "无法写入 {path}：{reason}。检查点将无法保存到那里；请修正权限或换一个文件夹。",
    ),
    "store_no_file": (
        "Nothing to resume from: {path} does not exist. {folder} holds: {found}. Give one of these, or leave the "
        "path out to resume from the newest.",
        "没有可恢复的检查点：{path} 不存在。{folder} 中有：{found}。请指定其中之一，或不指定路径以从最新的检查点恢复。",
    ),
    "store_no_checkpoints": (
        "Nothing to resume from: {path} does not exist, and there is no .pth file in {folder}. Check that you are in "
        "the right folder, or start training first.",
        "没有可恢复的检查点：{path} 不存在，{folder} 中也没有任何 .pth 文件。请确认所在目录是否正确，或先开始训练。",
    ),
    "store_no_folder": (
        "Nothing to resume from: {path} does not exist, and neither does the folder {folder}. Check that you are in "
        "the right folder, or start training first.",
        "没有可恢复的检查点：{path} 不存在，文件夹 {folder} 也不存在。请确认所在目录是否正确，或先开始训练。",
    ),
    "store_folder_link": (
        "{path} is a link to {target}, which is not there: is its disk mounted? Mount it, or remove the link.",
        "{path} 是指向 {target} 的链接，而后者不存在：其磁盘是否已挂载？请挂载它，或删除该链接。",
    ),
    "store_not_a_folder": (
        "{path} is a file, not a folder of checkpoints. Give the folder; to look into a checkpoint: unbroken show FILE",
        "{path} 是文件，不是检查点文件夹。请给出文件夹；要查看单个检查点：unbroken show FILE",
    ),
    "store_refused": (
        "{path} was not loaded: the system gives this process no more memory or open files ({reason}). The file is not at "
        "fault; raise the limits (ulimit -v, ulimit -n, the job's memory) and run the same command again.",
        "未加载 {path}：系统不再给本进程更多内存或打开文件数（{reason}）。文件本身没有问题；请放宽限制（ulimit -v、ulimit -n、"
        "作业内存）后重新运行同一命令。",
    ),
    "store_all_damaged": (
        "No checkpoint in {folder} can be loaded ({count} tried): restore one from a backup, or move the damaged files "
        "away to start afresh. The newest: {first}",
        "{folder} 中没有可加载的检查点（已尝试 {count} 个）：请从备份恢复，或移走损坏的文件后重新开始训练。"
        "最新的一个：{first}",
    ),
    "store_several_runs": (
        "{folder} holds checkpoints of several runs and does not say which is yours: {runs}. Choose one with --resume "
        "PATH, or move the others away.",
        "{folder} 中有多个训练的检查点，无法确定您要继续哪一个：{runs}。请用 --resume 路径 指定，或移走其他文件。",
    ),
    "store_save_failed": (
        "The state could not be saved to {path}: {reason}. The checkpoints saved before are intact.",
        "状态未能保存到 {path}：{reason}。此前保存的检查点完好无损。",
    ),
    "store_unsavable": (
        "{name} is a {kind}, which no safe checkpoint can hold; convert it to a tensor, number, text, list or dict.",
        "{name} 的类型是 {kind}，安全的检查点无法保存；请转换为张量、数字、文本、列表或字典。",
    ),
    "store_two_dtypes": (
        "The same memory is seen as {old} and as {new} by two tensors: a torch file can't hold that. Save a copy of one: tensor.clone()",
        "同一块内存被两个张量分别当作 {old} 和 {new}：torch 文件存不下。请保存其中一个的副本：tensor.clone()",
    ),
    "store_tangled": (
        "The state cannot be saved: {detail}. Flatten the containers in it.",
        "状态无法保存：其中的容器嵌套过深、互相包含或重复引用过多（{detail}）。请简化其结构。",
    ),
}
