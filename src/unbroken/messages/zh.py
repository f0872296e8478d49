"""Every sentence of the library in Chinese; the same keys stand in every language."""

SENTENCES: dict[str, str] = {
    # Parts of any sentence
    "comma": "、",
    "semicolon": "；",
    # Disk and cache
    "disk_full": "磁盘已满，无法写入 {path}（所在磁盘剩余 {free}）。原有文件完好无损；请清理出空间后重试。",
    "disk_write_failed": "无法写入 {path}：{reason}。原有文件完好无损；请检查该文件夹及其磁盘后重试。",
    "disk_sync_failed": (
        "{path} 已更改，但磁盘未确认落盘（{reason}），断电后可能丢失这次更改；请检查磁盘（dmesg）后重新保存。"
    ),
    "disk_keep_failed": "{path} 已保存，但无法把上一份状态保留为 {previous}：{reason}。请检查该文件夹及其权限。",
    "disk_read_failed": "无法读取 {path}：{reason}。请检查它是否存在、权限是否正确、磁盘是否正常。",
    "disk_not_a_file": "{path} 不是普通文件；请给出文件本身的路径。",
    "disk_copy_differs": (
        "回读校验发现副本 {path} 与 {source} 不一致，副本未保留；请检查目标磁盘（dmesg），或换一块磁盘再复制。"
    ),
    "disk_move_failed": "无法移动 {path}：{reason}。文件仍在原处；请检查该文件夹及其权限。",
    "disk_exists": "无法把 {path} 移动到 {destination}：该名称已被占用，且绝不覆盖已有内容；请换一个名称。",
    "disk_remove_failed": "无法删除 {path}：{reason}。请检查该文件夹及其权限。",
    "disk_folder_failed": "无法创建文件夹 {path}：{reason}。请选择一个有写入权限的位置。",
    "disk_not_a_folder": "{path} 是文件而不是文件夹；请把它移走，或换一个文件夹。",
    "disk_space_short": (
        "{path} 空间不足：需要 {needed}，剩余 {free}。请清理磁盘、删除旧检查点（unbroken prune），或换一块磁盘。"
    ),
    "disk_space_unknown": "无法查询 {path} 的剩余空间：{reason}。请检查路径，并确认磁盘已挂载。",
    "disk_lock_failed": "无法打开锁文件 {path}：{reason}。请检查该文件夹是否可写。",
    "disk_lock_unsupported": "{path} 所在的文件系统不支持文件锁：请自行确保同一时间只有一个训练使用该文件夹。",
    "folder_locked": (
        "{path} 正被另一个训练占用（主机 {host}，进程号 {pid}，开始于 {started}）；请等它结束或将其停止，或换一个文件"
        "夹。"
    ),
    "folder_locked_here": "{path} 已被本进程中的另一个训练占用；请先结束它，或换一个文件夹。",
    "cache_reused": "已复用预处理缓存 {path}（{count} 个数组，{size}）。",
    "cache_built": "数据已完成预处理并缓存到 {path}（{count} 个数组，{size}）。",
    "cache_returned": "先前另存为 {aside} 的缓存与当前设置一致：已恢复为 {path}，无需重新预处理。",
    "cache_outdated": (
        "缓存 {path} 对应的数据或参数不同（{changes}），不予使用；将保留为 {aside}，不再需要时可自行删除。"
    ),
    "cache_damaged": "缓存 {path} 已损坏（{reason}），不予使用；将保留为 {aside}，不再需要时可自行删除。",
    "cache_foreign": "{path} 没有记录由哪些数据生成，不予使用；将保留为 {aside}，不再需要时可自行删除。",
    "cache_not_written": "预处理结果未能写入缓存，将直接使用内存中的数据继续训练：{reason}",
    "cache_reason_content": "内容与记录的校验值不符",
    "cache_reason_expands": (
        "其 zip 目录声称数据有 {claimed}，而文件只有 {size}；或者数据经过压缩，而本库写出的缓存从不压缩"
    ),
    "cache_reason_structure": "不是完整的 npz 文件：{detail}",
    "cache_key_unusable": "缓存 {path} 的键（key=）只能由文本、数字、列表和字典组成：{detail}。",
    "cache_array_unusable": "{name} 无法写入缓存 {path}：{detail}。请返回由数字、文本或日期构成的命名数组。",
    "cache_not_a_file": "缓存路径 {path} 是文件夹或设备；请给出文件名。",
    # Store
    "store_empty": "未加载 {path}：文件是空的（0 字节）。可用 unbroken list 查看其他检查点。",
    "store_zeros": (
        "未加载 {path}：文件中本应有数据的地方全是零，常见于断电或磁盘故障之后。可用 unbroken list 查看其他检查点。"
    ),
    "store_truncated": (
        "未加载 {path}：文件末尾缺失或被改写（现有 {size} 字节），常见于复制中断或磁盘写满。可用 unbroken list 查看其"
        "他检查点。"
    ),
    "store_crc": "未加载 {path}：{member} 的内容与写入时不同（校验和不符）。可用 unbroken list 查看其他检查点。",
    "store_layout": "未加载 {path}：文件的 zip 结构已损坏（{detail}）。可用 unbroken list 查看其他检查点。",
    "store_local_header": "未加载 {path}：{member} 的 zip 文件头已损坏。可用 unbroken list 查看其他检查点。",
    "store_member_outside": (
        "未加载 {path}：{member} 声称的数据不属于它，或超出了文件范围。可用 unbroken list 查看其他检查点。"
    ),
    "store_duplicate_member": (
        "未加载 {path}：其中 {member} 出现了两次；torch 不会写出这样的文件，请勿信任它。可用 unbroken list 查看其他检"
        "查点。"
    ),
    "store_compressed": (
        "未加载 {path}：{member} 被压缩或加密；torch 不会写出这样的文件（是否被重新打包过？）。可用 unbroken list 查"
        "看其他检查点。"
    ),
    "store_not_torch": "未加载 {path}：它不是由 torch.save 写出的文件。可用 unbroken list 查看其他检查点。",
    "store_legacy": (
        "未加载 {path}：它是 torch 1.6 之前的旧格式。若来源可信，请用 torch.load 打开后再用 torch.save 重新保存。"
    ),
    "store_global": (
        "未加载 {path}：它要求调用 {detail}，而检查点不需要这样的调用，它可能执行任意代码。没有执行其中任何代码；请勿信"
        "任该文件。"
    ),
    "store_numpy": (
        "未加载 {path}：其中含有 NumPy 对象（{detail}），torch.load(weights_only=True) 同样无法打开。请在保存它的程序"
        "里用 float(x) 保存数值，用 torch.from_numpy(x) 保存数组。"
    ),
    "store_unsupported": (
        "未加载 {path}：其中含有 {detail}，不属于普通的训练状态。请在保存它的程序里保存 state_dict() 以及普通的张量、"
        "数字、文本、列表和字典。"
    ),
    "store_opcode": (
        "未加载 {path}：其 pickle 含有 torch.save 保存普通状态时不会写出的指令（{detail}）。没有执行任何代码；请只保"
        "存张量、数字、文本、列表和字典。"
    ),
    "store_pickle": "未加载 {path}：其 pickle 不是普通的训练状态（{detail}）。可用 unbroken list 查看其他检查点。",
    "store_storage": "未加载 {path}：它声称的张量数据多于文件实际所含（{detail}）。可用 unbroken list 查看其他检查点。",
    "store_tensor": (
        "未加载 {path}：其中某个张量声称的大小超过了它的数据（{detail}）。可用 unbroken list 查看其他检查点。"
    ),
    "store_torch_refused": (
        "未加载 {path}：文件完整，但当前版本的 torch 无法打开（{reason}）。可用 unbroken list 查看其他检查点。"
    ),
    "store_not_a_dict": "未加载 {path}：其内容是 {kind}，而不是训练状态字典。可用 unbroken list 查看其他检查点。",
    "store_keys_missing": "未加载 {path}：它不是训练检查点，缺少这些键：{keys}。可用 unbroken list 查看其他检查点。",
    "store_keys_wrong": "未加载 {path}：以下键的内容不符合检查点的要求：{keys}。可用 unbroken list 查看其他检查点。",
    "store_format_newer": (
        "未加载 {path}：它由本库的更新版本写出（格式 {found}，当前最高支持 {known}）。请升级：pip install -U unbroken"
    ),
    "store_not_regular": (
        "未加载 {path}：它不是普通文件（而是管道、设备、套接字或失效的链接）。可用 unbroken list 查看其他检查点。"
    ),
    "store_link_outside": (
        "未加载 {path}：它是指向文件夹之外的链接。若信任 {target}，请直接给出该路径，或用它的副本替换该链接。"
    ),
    "store_link_nowhere": (
        "未加载 {path}：它是指向 {target} 的链接，而后者不存在（其磁盘是否已挂载？）。可用 unbroken list 查看其他检查"
        "点。"
    ),
    "store_link_undecided": (
        "{path} 是指向文件夹之外 {target} 的链接，其中可能是最新的状态；未作任何改动。若要从它继续，请用该文件的副本"
        "替换此链接；否则请删除此链接。"
    ),
    "store_is_folder": "{path} 是文件夹，不是检查点。请给出其中的某个 .pth 文件，或不指定路径以从最新的检查点恢复。",
    "store_read_error": (
        "未加载 {path}：磁盘无法完整读取该文件（{reason}）；请检查磁盘（dmesg）。可用 unbroken list 查看其他检查点。"
    ),
    "store_unreadable": "无法读取 {path}：{reason}。请检查其权限和所在磁盘。",
    "store_verified_unwritable": "无法在 {path} 中记下这次校验的时间：{reason}。unbroken list 将不会显示它。",
    "store_folder_unreadable": "无法查看 {path}：{reason}。请检查其权限和所在磁盘。",
    "store_folder_unwritable": "无法写入 {path}：{reason}。检查点将无法保存到那里；请修正权限或换一个文件夹。",
    "store_no_file": (
        "没有可恢复的检查点：{path} 不存在。{folder} 中有：{found}。请指定其中之一，或不指定路径以从最新的检查点恢复。"
    ),
    "store_no_checkpoints": (
        "没有可恢复的检查点：{path} 不存在，{folder} 中也没有任何 .pth 文件。请确认所在目录是否正确，或先开始训练。"
    ),
    "store_no_folder": (
        "没有可恢复的检查点：{path} 不存在，文件夹 {folder} 也不存在。请确认所在目录是否正确，或先开始训练。"
    ),
    "store_folder_link": "{path} 是指向 {target} 的链接，而后者不存在：其磁盘是否已挂载？请挂载它，或删除该链接。",
    "store_not_a_folder": "{path} 是文件，不是检查点文件夹。请给出文件夹；要查看单个检查点：unbroken show FILE",
    "store_refused": (
        "未加载 {path}：系统无法再为本进程分配内存或打开文件（{reason}）。文件本身没有问题；请放宽限制（ulimit -v、"
        "ulimit -n、作业内存）后重新运行同一命令。"
    ),
    "store_all_damaged": (
        "{folder} 中没有可加载的检查点（已尝试 {count} 个）：请从备份恢复，或移走损坏的文件后重新开始训练。其中第一"
        "个：{first}"
    ),
    "store_several_runs": (
        "{folder} 中有多个训练的检查点，无法确定您要继续哪一个：{runs}。请用 --resume PATH 指定，或移走其他训练的检查"
        "点。"
    ),
    "store_save_failed": "状态未能保存到 {path}：{reason}。此前保存的检查点完好无损。",
    "cli_not_exportable": "{name}（{kind}）无法写入 safetensors 文件：该格式不支持这种张量。",
    "store_unsavable": "{name} 的类型是 {kind}，安全的检查点无法保存；请转换为张量、数字、文本、列表或字典。",
    "store_not_resumable": (
        "这里要保存的状态将无法用于恢复：{keys}。为避免训练白费，现在停止；请报告此问题，并附上已安装软件包的版本。"
    ),
    "store_two_dtypes": (
        "两个张量分别以 {old} 和 {new} 类型共用同一块内存：torch 文件无法这样保存。请保存其中一个的副本：tensor.clone()"
    ),
    "store_tangled": "状态无法保存：其中的容器嵌套过深、互相包含或重复引用过多（{detail}）。请简化其结构。",
    # State: what cannot be saved
    "state_unsavable": (
        "{path} 的类型是 {type}，无法安全地存入检查点；请改用张量、数组、数字、文本，或由它们组成的列表和字典。"
    ),
    "state_object_array": "{path} 是存放 Python 对象的 numpy 数组，无法安全地存入检查点；请改用数值类型。",
    "state_too_deep": "{path} 的嵌套超过 {depth} 层，或者包含了它自身；请保存层次更浅的结构。",
    "state_lazy_parameter": "{path} 的形状尚未确定；请先让模型前向计算一个批次，再调用 track。",
    "state_tensor_subclass": "{path} 是自定义的张量类 {type}，无法安全地存入检查点；请改用普通的 torch.Tensor。",
    "state_tensor_kind": "{path} 是 {type} 类型的张量，它的值无法保存；请先把它变成普通张量。",
    "state_named_timezone": "{path} 是带具名时区的时间，恢复后无法保持不变；请转换为 UTC。",
    "state_get_failed": "无法读取“{name}”的状态：{detail}。请修正它的 state_dict()，或者不要跟踪它。",
    "state_bad_encoding": "检查点中 {path} 处的值无法读取（{detail}）；文件可能已损坏，或由更新的版本写入。",
    "state_class_gone": "检查点中 {path} 处的值属于类 {name}，但程序里已经没有这个类；请以原名恢复它。",
    # State: what cannot be tracked
    "state_bad_name": "“{name}”不能用作跟踪对象的名字：它不是合法的标识符，或已被检查点自身占用；请换一个名字。",
    "state_name_taken": "“{name}”已经在跟踪中；请给第二个对象另取名字。",
    "state_tracked_twice": "“{name}”与已跟踪的“{other}”是同一个对象；只需跟踪一次。",
    "state_not_trackable": (
        "“{name}”的类型是 {type}，没有 state_dict() 和 load_state_dict()，也无法原地填充；请为它实现这两个方法，或把值"
        "放进 run.local({name}=...)。"
    ),
    "state_attributes_trackable": (
        "“{name}”的类型是 {type}，没有 state_dict() 和 load_state_dict()；请为它实现这两个方法，或跟踪它的属性（会原"
        "地填充）：run.track({name}=vars({name}))。"
    ),
    "state_frozen": (
        "“{name}”的类型是 {type}，即冻结的 dataclass，训练无法改变它；设置请交给 Run(config=...)，会被整体替换的值请放"
        "进 run.local({name}=...)。"
    ),
    "state_not_taken_back": (
        "“{name}”不接受它自己给出的状态：{detail}。这样恢复时会失败：请修正它的 state_dict() 和 load_state_dict()，或把"
        "值放进 run.state。"
    ),
    "state_other_than_given": (
        "把“{name}”自己的状态重新载入它之后，状态发生了变化：{path} 不同。这样无法精确恢复：请修正它的 state_dict() 和 "
        "load_state_dict()，或把值放进 run.state。"
    ),
    "state_says_nothing": (
        "“{name}”（{type}）的 state_dict() 是空的：检查点里不会有它的任何内容。请让 state_dict() 返回它的值，或把值放进"
        " run.state。"
    ),
    # State: what does not fit
    "state_architecture": '模型与保存时不同：{differences}。请重新构建相同的模型，或用 resume="never" 开始新的训练。',
    "drift_gone": "{path} {old} 已不存在",
    "drift_new": "新增 {path} {new}",
    "drift_other": "{path} {old} → {new}",
    "drift_ties": "{paths} 与其他参数的共享关系已改变",
    "drift_groups": "优化器“{name}”的参数或分组已不同：{paths}",
    "state_tensor_missing": "缺少 {path} {old}",
    "state_tensor_new": "多出 {path} {new}",
    "state_tensor_differs": "{path} {old} → {new}",
    "state_tensor_changed": '{path} 与保存时不同：{old} → {new}。请按原样重新构建，或用 resume="never" 开始新的训练。',
    "state_names_changed": (
        "跟踪的对象与保存时不同：检查点中没有：{absent}；只在检查点中：{dropped}。请以相同的名字跟踪相同的对象，或用 "
        'resume="never" 开始新的训练（若要沿用此检查点的权重：run.start_from(path, strict=False)）。'
    ),
    "state_kind_changed": "以“{name}”保存的并不是 {new} 的状态；请以该名字跟踪与当时相同的对象。",
    "state_optimizer_parameters": (
        '优化器“{name}”的参数与保存时不同：缺少：{missing}；多出：{new}。请传入相同的参数，或用 resume="never" 开始新'
        "的训练。"
    ),
    "state_optimizer_groups": (
        '优化器“{name}”的参数分组与保存时不同：没有一组恰好包含 {names}。请按原来的方式分组，或用 resume="never" 开始'
        "新的训练。"
    ),
    "state_optimizer_sizes": "优化器“{name}”各组的参数个数是 {new}，检查点中是 {old}；请用相同的分组构建它。",
    "state_optimizer_shape": (
        "{path} 的形状是 {old}，而对应参数是 {new}：优化器的参数顺序与保存时不同，且该文件没有记录名字；请按当时的顺"
        "序构建优化器。"
    ),
    "state_optimizer_broken": "检查点中优化器“{name}”的内容不是有效的优化器状态；请从其他检查点恢复。",
    "state_load_failed": (
        '“{name}”拒绝了为它保存的状态：{detail}。请按当时的方式构建它，或用 resume="never" 开始新的训练。'
    ),
    "state_not_restored": (
        "{path} 恢复后与保存时不一致：它的 load_state_dict() 改变或忽略了该值。请按当时的方式构建该对象，或修正 "
        "load_state_dict()。"
    ),
    "state_gradient_homeless": "检查点中有 {name} 的梯度，但跟踪的对象里没有它；请跟踪与当时相同的对象。",
    "state_class_changed": (
        '“{name}”保存时是 {old}，现在是 {new}；请像原来一样构建 {old}，或用 resume="never" 开始新的训练。'
    ),
    "state_buffer_homeless": (
        '检查点中有缓冲区 {path}，但模型里没有它的位置；请按当时的方式构建模型，或用 resume="never" 开始新的训练。'
    ),
    # State: what is said on the way
    "state_attributes_lost": (
        "以下属性在训练中发生了变化，但检查点无法保存，恢复后不会是现在的值：{paths}。请改用张量、数字、文本，或由它"
        "们组成的列表和字典；也可以用单独的名字 track 该对象。"
    ),
    "state_attributes_trained": (
        "以下属性的值已与程序构建时不同，检查点中也没有：{paths}。它们在保存之后被本进程中的训练改变；请重新构建这些对"
        "象，才能精确继续。"
    ),
    "state_attributes_homeless": (
        "检查点中有这些属性，但现在没有对象可以接收：{paths}。它们仍是构建时的值；请按保存时的方式构建这些对象。"
    ),
    "state_optimizer_asleep": (
        "优化器“{name}”（{kind}）已不再更新，但它的参数仍在变化：真正训练它们的优化器没有被跟踪，恢复时将缺少它的状"
        "态。请从一开始就 track 实际使用的优化器。"
    ),
    "state_attribute_overruled": (
        "{path}：构建时为 {built}，将按检查点以 {saved} 继续。若要从此使用其他值，请在循环内设置。"
    ),
    "state_left_as_built": "检查点中没有 {names} 的状态：将从构建时的状态开始。",
    "state_not_taken": "检查点中还有 {names} 的状态，但程序没有跟踪它：不会使用。",
    "state_functions_changed": (
        "这些函数，或它们持有、引用的值，与保存时不同；将按新的内容继续训练：{paths}。训练中会改变的值请放进 "
        "run.local。"
    ),
    "state_groups_added": "优化器“{name}”在训练途中加入过参数，现已重新加入：{names}",
    "state_frozen_restored": "已按保存时的设置恢复 {count} 个参数的 requires_grad：{names}",
    # State: history
    "state_bad_metric": "“{name}”不能用作指标的名字：它不是合法的标识符，或已被检查点自身占用；请换一个名字。",
    "state_metric_both_ways": "同一轮里“{name}”既用了 average() 又用了 record()；请只用其中一个。",
    "state_not_scalar": "指标“{name}”是 {type}，不是单个数值；请先归约，例如用 .mean()。",
    "state_bad_weight": "平均值的权重必须是不小于 0 的数，而不是 {weight}；通常用批大小。",
    "state_bad_mode": 'best_mode 必须是 "max" 或 "min"，而不是 {mode!r}。',
    "state_history_longer": "历史记录“{name}”有 {found} 个值，而已完成 {epoch} 轮；只保留前 {epoch} 个。",
    # State: guards
    "state_data_changed": (
        "数据与训练时不同：原来是 {old}，现在是 {new}（{count} 个文件不同）。请使用相同的数据，或用 "
        "allow_changed_data=True（--allow-changed-data）以新数据继续。"
    ),
    "state_data_count": (
        "数据与训练时不同：原来有 {old} 个文件，现在有 {new} 个；第一个仅一方有的文件是 {extra}。请使用相同的数据，或"
        "用 allow_changed_data=True（--allow-changed-data）以新数据继续。"
    ),
    "state_data_other": "{old} → {new}（{count} 个文件不同）",
    "state_data_other_count": "{old} 个文件 → {new} 个；第一个仅一方有的文件是 {extra}",
    "state_data_unreadable": "无法读取数据文件 {path}：{detail}。请检查 data= 给出的路径。",
    "state_change": "{setting}：{old} → {new}",
    "state_absent": "（无）",
    # Loop
    "stream_damaged": (
        "检查点中的随机数状态无效（{detail}）：它已损坏，或来自其他版本的 Python、NumPy 或 torch。请从其他检查点恢"
        "复：可用 unbroken list 查看。"
    ),
    "other_accelerators": (
        "检查点中有 {saved} 个 GPU 的随机数状态，而本机有 {here} 个：两者共有的已恢复；"
        "其余 GPU 上的随机数将与原来不同。"
    ),
    "bad_start": "start={value} 既不是 0 也不是 1：轮次只能从二者之一开始计数。",
    "other_kind_of_loop": (
        "中断之前这里是另一种循环：那时用 run.steps 而现在用 run.batches，或者相反。请用原来的循环继续，或换一个文件夹"
        "开始新的训练。"
    ),
    "bad_duration": "{option}={value!r} 不是大于零的时长；请按 '90s'、'10min' 或 '1.5h' 的形式书写。",
    "bad_count": "{option}={value!r} 应为不小于 1 的整数。",
    "keep_best_of_what": "keep_best= 需要同时给出 best=，即用来评定各轮好坏的已记录指标。",
    "bad_seed": "seed={value} 不是 -2**63 到 2**64 - 1 之间的整数。",
    "not_a_loader": (
        "run.batches 接受 torch.utils.data.DataLoader，而不是 {loader}。若自行取批次或不用批次，请改用 for step in "
        "run.steps(n)，在循环内取数据；否则请用 DataLoader 包装数据集。"
    ),
    "fabric_loader": (
        "run.batches 接受 torch.utils.data.DataLoader，而不是 fabric.setup_dataloaders 返回的对象（{loader}）。请把原来"
        "的加载器交给 run.batches，并在循环中自行移动每一批：batch = fabric.to_device(batch)。"
    ),
    "web_loader": (
        "run.batches 接受 torch.utils.data.DataLoader，而不是包在它外面的 {loader}。请用同一个数据集"
        "（其中用 .batched(n) 组批）构建：torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=...)。"
    ),
    "accelerate_accumulates": (
        "Accelerate 每 {steps} 批累积一次梯度，并在程序里自行计数，因此在这些批次之间恢复不会精确。请按组取批次："
        "run.batches(loader, group={steps})，其中的 loader 应为 accelerator.prepare 返回的对象。"
    ),
    "loader_exact": (
        "可在任意批次精确恢复，训练过的不会重新加载。已检查：第一批加载了两次，结果相同（每轮 {batches} 批，"
        "{workers} 个 worker）。"
    ),
    "loader_not_repeatable": (
        "在一轮之内无法精确恢复：第一批加载了两次，结果不同。{dataset} 或 collate 函数带有 Unbroken 不知道的内部状态。"
        "请使用 python、numpy、torch 的随机数，把生成器放在属性里，或只从某一轮结束时的检查点恢复（此时该状态须与训练开"
        "始时相同）。"
    ),
    "ahead_does_not_fit": (
        "检查点中保存了之后 {kept} 个样本的顺序，与含 {samples} 个样本的数据集不符；请使用原来的数据，或改从某一轮结"
        "束时的检查点恢复。"
    ),
    "loader_changed": (
        "加载器与此前不同：{fact} {old} → {new}（length：每轮批数；samples：数据集样本数；sampler：决定顺序的采样器）。"
        "将以新的加载器继续：除非循环本来就每轮更换加载器，否则训练过程会与原来不同。"
    ),
    "samples_changed": (
        "检查点位于一轮之内（该轮有 {old} 个样本），而现在的数据集有 {new} 个；请使用原来的数据，或改从某一轮结束时的"
        "检查点恢复。"
    ),
    "compiled_for_two_shapes": (
        "模型已编译，而每轮最后一批较小：恢复后的进程可能以另一顺序遇到这两种形状，生成不同的计算图，结果在末位上可能不"
        "同。使用 drop_last=True 或 torch.compile(model, dynamic=False) 即可精确恢复。"
    ),
    "loader_replayed_iterable": (
        "IterableDataset 没有下标：可在任意批次精确恢复，但需重新加载该轮之前的数据，且每次遍历都须从头开始、只依赖 "
        "python、numpy 和 torch 的随机数；恢复时会进行比较（每轮 {batches} 批，{workers} 个 worker，其数量须保持不"
        "变）。"
    ),
    "dataset_keeps_draws": (
        "{dataset} 在第一次加载样本时取随机数，再次加载时不再取：它保留了所取的值。重新启动后会另取一批，因此从之后的轮"
        "次恢复无法做到精确。请每次重新取随机数，或在训练开始之前全部取好（把数据集遍历一遍）。"
    ),
    "dataset_counts": (
        "{dataset} 在遍历一轮之后与之前不同（{changed}），而重启后它又从创建时的状态开始。如果样本或其顺序取决于此，从"
        "后面的轮次恢复就无法做到精确：应让它们取决于由循环告知的轮次（例如数据集自己的 set_epoch），或只取决于 "
        "python、numpy 和 torch 的随机数。"
    ),
    "loader_replayed_subclass": (
        "该 DataLoader 自定义了遍历方式：恢复时从该轮开头重新遍历；只要其顺序来自 python、numpy 或 torch 的随机数即为"
        "精确（{batches} 批，{workers} 个 worker）。"
    ),
    "loader_subclass_persistent": (
        "{loader} 自定义了遍历方式且在各轮之间保留 worker，其随机状态无法恢复；请设置 persistent_workers=False。"
    ),
    "generators_not_all_searched": (
        "{dataset} 持有的对象过多，无法全部查找其自带的随机数生成器；未找到的生成器不会按位置设定：请使用 python、"
        "numpy 或 torch 的全局随机数，或把生成器放在它自己的属性里。"
    ),
    "workers_changed": (
        "该加载器此前使用 {old} 个 worker，现在为 {new} 个，而其顺序取决于此；请把 num_workers 改回 {old}。"
    ),
    "order_changed": (
        "采样器 {sampler} 给出的顺序与中断前不同（第 {epoch} 轮前 {batch} 批），它依赖于未保存的状态；请改从某一轮结"
        "束时的检查点恢复。"
    ),
    "next_order_changed": (
        "采样器为第 {epoch} 轮第 {batch} 批给出的样本与中断前不同；数据集、采样器或生成顺序的库已改变。请恢复原状，或改"
        "从某一轮结束时的检查点恢复。"
    ),
    "counting_sampler_twice": (
        "该加载器的采样器会统计被遍历的次数，而第 {epoch} 轮中另一个循环也遍历了它；请只在每轮的第一个循环中使用它。"
    ),
    "other_loop_leads": (
        "该检查点保存于本轮的第 {old} 个数据循环中，而现在由第 {new} 个循环先取数据；请改从某一轮结束时的检查点恢复，"
        "或使用原来的脚本。"
    ),
    "loader_out_of_order": (
        "该 DataLoader 设置了 in_order=False：批次顺序取决于各 worker 的快慢，无法精确恢复；请去掉 in_order=False。"
    ),
    "sampler_not_repeatable": (
        "采样器 {sampler} 的两个副本在相同随机状态下给出不同的顺序（它是否使用了系统随机数或时钟？），无法恢复其顺"
        "序；请让它只使用 torch、numpy、random 的随机数。"
    ),
    "sampler_uncheckable": (
        "采样器 {sampler} 无法复制，因而不能检查其顺序是否可重现（{error}）；请使其支持 copy.deepcopy，或改用 "
        "torch.utils.data 自带的采样器。"
    ),
    "epoch_length_changed": (
        "检查点位于一轮之内（该轮共 {old} 批），而现在的加载器有 {new} 批；请恢复原来的批大小与数据，或改从某一轮结束时"
        "的检查点恢复。"
    ),
    # Loop: variables
    "variables_lost": (
        "循环中的这些变量与保存时不同：{names}（{where}）。它们在程序启动时被重新初始化，因此依赖它们的内容在本次恢复中"
        "不精确；若循环在读取之前会重新赋值，则没有影响。请把它们交给 run，例如在循环前写 local = run.local({first}"
        "=...)，循环中用 local.{first}：此后保存的状态就会包含它们。"
    ),
    "globals_lost": (
        "循环中的这些变量与保存时不同：{names}（{where}）。它们在程序启动时被重新初始化，因此依赖它们的内容在本次恢复中"
        "不精确；若循环在读取之前会重新赋值，则没有影响。请把它们交给 run，例如在循环前写 run.local(globals(), {first}="
        "{first})：此后保存的状态就会包含它们。"
    ),
    "objects_lost": (
        "循环中的这些对象带有状态、没有被跟踪，且与保存时不同：{names}（{where}）。它们在程序启动时被重新创建，因此依赖"
        "它们的内容在本次恢复中不精确；循环在使用之前会重新设定的除外。请跟踪它们，例如 run.track({first}={path})：此后"
        "保存的状态就会包含它们。"
    ),
    "generators_lost": (
        "循环中的函数所持有的这些随机数生成器没有被跟踪，且不在保存时的位置：{names}（{where}）。它们在程序启动时被重新"
        "创建，因此依赖它们的内容在本次恢复中不精确；取数之前会重新设定种子的除外。请把每个生成器放进脚本的变量并跟踪"
        "它，例如 run.track({first}={first})：此后保存的状态就会包含它们。"
    ),
    "bindings_lost": (
        "循环中的这些名称所指的不再是保存时的对象：{names}（{where}）。训练把它们换成了另一个函数或对象，而程序启动时又是最初的那个，"
        "因此本次恢复不精确；循环在使用之前会重新设定的除外。请在每次恢复都会经过的地方，按 run.epoch、run.step 或 "
        "run.local 中的变量来设定，例如 if run.epoch >= 5: {path} = ..."
    ),
    "tracked_rebound": (
        "{path} 不再是以 '{name}' 跟踪的那个 {kind}：训练让它指向了另一个值。保存的是被跟踪的那一个，它保持原样，"
        "因此重启后不会有训练得到的值。请就地填写（tensor.copy_、dict.update、list[:] = ...），或者把它保存在运行中："
        "在循环之前写 local = run.local({name}=...)，循环中写 local.{name}。"
    ),
    "settings_lost": (
        "进程的这些设置与保存时不同：{names}（{where}）。训练改变了它们，而程序启动时它们又是最初的样子，因此本次恢复不精确。请在每次"
        "恢复都会经过的地方，按 run.epoch、run.step 或 run.local 中的变量来设定，例如 if run.epoch >= 5: ..."
    ),
    "hooks_lost": (
        "这些模块或参数上的钩子与保存时不同：{names}（{where}）。训练注册或移除了钩子，而程序启动时又是最初的样子，因此本次恢复不精确。"
        "请在每次恢复都会经过的地方，按 run.epoch、run.step 或 run.local 中的变量来处理，例如 if run.epoch >= 5: ..."
    ),
    "formats_lost": (
        "这些参数在内存中的排列与保存时不同：{names}（{where}）。训练改变了它们的内存格式，而不同的算子会得到不同的末位，因此本次"
        "恢复不精确。请在循环前转换模型，或在每次恢复都会经过的地方按 run.epoch 转换，例如 if run.epoch >= 5: "
        "model.to(memory_format=torch.channels_last)"
    ),
    "feeding_lost": (
        "加载批次所用对象的这些属性与保存时不同：{names}（{where}）。训练设定了它们，而程序启动时它们又是最初的样子，因此本次恢复不精确。"
        "就地填写的张量、列表和字典请跟踪，例如 run.track({first}={path})；其余的请在每次恢复都会经过的地方，"
        "按 run.epoch、run.step 或 run.local 中的变量来设定，例如 if run.epoch >= 5: {path} = ..."
    ),
    "iterators_lost": (
        "循环中的这些迭代器不在保存时的位置：{names}（{where}）。它们在程序启动时被重新创建，因此从中取出的内容在本次恢"
        "复中不精确。加载器的批次请用 run.batches 取得，几个加载器也可以一起（zip）；列表中的值请按 run.step 选取；生成"
        "器函数所计的数请保存在 run.local 中。"
    ),
    # Run
    "not_restorable": "未加载 {path}，其内容无法恢复：{reason}可用 unbroken list 查看其他检查点。",
    "started": "从头开始训练；状态保存在 {folder}。",
    "resumed_at_step": "已从 {path} 恢复（保存于 {timestamp}）：从第 {step} 步之后继续。",
    "resumed": "已从 {path} 恢复（保存于 {timestamp}）：继续第 {epoch} 轮，该轮已完成 {batch} 批。",
    "resumed_at_start": "已从 {path} 恢复（保存于 {timestamp}）：从第 1 轮开始；保存时尚未开始训练。",
    "resumed_between": "已从 {path} 恢复（保存于 {timestamp}）：从第 {done} 轮、第 {step} 步之后继续。",
    "complete": "训练已完成，无需再训练：此前已完成 {done}/{count} 轮，状态见 {latest}。",
    "complete_steps": "训练已完成，无需再训练：此前已完成 {done}/{goal} 步，状态见 {latest}。",
    "missing_behind_loop": (
        "循环体已无需再运行，因此循环之后的代码要读取的这些名称并不存在：{names}（{where}）。最后一轮之后仍要用到的内"
        "容，请放进 run.local。"
    ),
    "fell_back": "{path} 已损坏，已移至 {aside}；将从最新的完好检查点继续。原因：{reason}",
    "store_superseded": (
        "未写入 {path}：此后已有另一个训练进程在该文件夹中开始（次数记录在 {record} 中），训练已由它接管。请结束本进"
        "程。"
    ),
    "stateful_hook": (
        "{module}：其 DistributedDataParallel 使用了带有自身状态的通信钩子（{kind}"
        "），检查点无法保存它。请使用无状态的钩子（如 fp16_compress_hook），或不用钩子。"
    ),
    "uneven_batches": (
        "在 join() 中各 rank 的批次数可能不同，没有所有 rank 共同的步。请去掉 join()：run.batches 会均匀划分批次。"
    ),
    "replayed_by_all": "全部 {size} 个进程都已重新训练最近一次保存之后的步（至少 {steps} 步），每个进程均逐位一致。",
    "ranks_apart": (
        "rank {rank} 位于{here}，而 rank 0 位于{first}，双方会互相等待。所有 rank "
        "必须以相同方式调用 run 并离开循环：不要只在一个 rank 上使用 run.batches 或 break。"
        "只由一个 rank 做的事（验证、绘图）请用普通的 DataLoader。"
    ),
    "ranks_at_begin": "训练的开始",
    "ranks_at_loader": "加载器的第一批",
    "ranks_at_boundary": "两步之间",
    "ranks_at_epoch": "一轮的开始或结束",
    "ranks_at_save": "一次保存",
    "ranks_at_stop": "停止处",
    "ranks_at_end": "训练的结束",
    "ranks_steps": (
        "各 rank 完成的步数不同（{least} 到 {most}），保存的将是不同时刻的状态。请让每个 rank 取同样多的批次。"
    ),
    "wrapped_twice": (
        "有两个 DistributedDataParallel 含有相同的参数（{name}），重启之后无法区分它们。请只包装一次模型，并在训练开始"
        "之前包装。"
    ),
    "group_destroyed": (
        "进程组在 run 关闭之前已被销毁，最后的状态没有保存。请在 destroy_process_group() 之"
        "前调用 run.close()（或离开 `with run:`）。"
    ),
    "buckets_refused": (
        "无法让 DistributedDataParallel 重现保存此状态时的最初几次反向传播，接下来的步将不再逐位一致：{reason}"
    ),
    "no_process_group": (
        "本进程是 {count} 个进程之一（WORLD_SIZE），但尚未建立进程组。请在训练开始之前调用 "
        'torch.distributed.init_process_group("gloo") 或 ("nccl")，或取消 WORLD_SIZE。'
    ),
    "rank_lost": (
        "rank {rank}：本次训练的另一个进程已退出；最近保存的状态是完整的。再次运行同一命令即可从那里继续。torch 的说明"
        "：{reason}"
    ),
    "rank_lost_again": (
        "rank {rank}：这次重启后另一个进程没有与其他进程会合；最近保存的状态是完整的。请在运行 torchrun 前设置 "
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1：否则重启时遇到的是已退出进程的地址。然后再次运行同一命令。torch 的说"
        "明：{reason}"
    ),
    "rank_waits": (
        "rank {rank} 已在{here}等待其他进程 {seconds} 秒（进程组的超时时间为 {patience} 秒）。没有输出这一行的 rank 在"
        "别处：它正在独自做耗时较长的事（例如验证），或者卡住了。"
    ),
    "rank_late": (
        "rank {rank} 位于{here}，另一个进程在进程组的超时时间（{patience} 秒）内没有到达；最近保存的状态是完整的。如果"
        "它卡住了，请再次运行同一命令。如果它独自做的事耗时较长（例如 rank 0 上的验证），请给 init_process_group 更长"
        "的 timeout=。所有 rank 必须以相同方式调用 run，run.begin 和循环外的 run.save 也一样。torch 的说明：{reason}"
    ),
    "on_rank": "rank {rank}：{error}",
    "ranks_diverged": (
        "rank {rank} 的 {tensor} 与 rank 0 的不是逐位一致：各 rank 已经不同步，此状态不予保存。请检查是否有只在某个 "
        "rank 上执行的操作（跳过一步、未经 DistributedDataParallel 修改权重），或机器有故障；同一命令将从最近保存的状态"
        "继续。"
    ),
    "resized": (
        "由 {saved_by} 个进程保存，现由 {size} 个进程继续：全局批次及其顺序相同，每个样本逐位一致；跨 rank 的求和以及 "
        "dropout 等随机层不再逐位一致。新增进程的 run.state 和 run.local 从 rank 0 的值开始；不再存在的进程的值会丢失。"
    ),
    "resized_in_accumulation": (
        "此状态由 {saved_by} 个进程在梯度累积中途保存，各自持有自己的梯度，{size} 个进程无法接续。请仍用 {saved_by} 个"
        "进程启动；使用 group= 时只在两次累积之间保存。"
    ),
    "arrivals_do_not_fit": (
        "{module}：其 DistributedDataParallel 当时的参数现在不存在：{names}。请按原样构建"
        "模型，或在另一个文件夹中重新开始。"
    ),
    "ranks_unlike": (
        "各 rank 的启动方式不一致：{what} 在 rank {rank} 上是 {here}，在 rank 0 上是 {"
        "first}。请用相同的脚本和参数启动所有进程。"
    ),
    "ranks_built_unlike": (
        "{tensor} 在 rank {rank} 上的值与 rank 0 不同。请在训练开始之前用 DistributedDataParallel 包装模型，或在构建模"
        "型之前在所有 rank 上用同一个数调用 torch.manual_seed。"
    ),
    "sharded": (
        "{name} 含有各 rank 独有的部分（{kind}），目前只能保存和恢复在所有 rank 上相同的副本。请使用 "
        "DistributedDataParallel 和普通优化器。"
    ),
    "ranks_other_samples": (
        "到第 {step} 步为止，rank {rank} 得到的样本与 rank 0 不同，两者将训练出不同的模型。请让所有 rank 以相同方式产生"
        "顺序：同一个种子、同样的调用。"
    ),
    "wrapped_late": (
        "模型在训练开始之后才被包装为 DistributedDataParallel，已来不及做到逐位恢复。请在 run.begin()、循环以及 `with "
        "run:` 之前包装。"
    ),
    "recorded_unlike": (
        "其他 rank 为 {names} 向 run.record 提供了不同的值；以 rank 0 的为准。若要所有 rank 的平均值，请使用 "
        "run.average。"
    ),
    "batch_too_small": (
        "第 {batch} 批只有 {count} 个样本，不够 {size} 个进程分配。请为 DataLoader 设置 drop_last=True，或选择使最后一"
        "批样本足够的 batch_size。"
    ),
    "other_replicas": (
        "DistributedSampler 是为 {replicas} 个副本中的 rank {rank} 创建的；本进程是 {size} 个中的 rank {this}。请在 "
        "init_process_group 之后创建它，且不要指定 num_replicas 和 rank。"
    ),
    "batch_not_divided": (
        "batch_size=None 的加载器给出的批次无法由 {size} 个进程分配。请设置 batch_size，或使用 DistributedSampler。"
    ),
    "batch_not_divisible": "{count} 个样本的全局批次无法由 {size} 个进程均分。可以均分的进程数：{fitting}。",
    "not_divisible": (
        "{kind} 逐个给出样本，{size} 个进程无法分配它们并精确恢复。请使用支持下标访问（map 风格）的数据集，或用单个进程"
        "训练。"
    ),
    "uneven_rest": (
        "每轮最后一个批次有 {count} 个样本，{size} 个进程无法均分：此处梯度按进程而非按样本加权。"
        "使用 drop_last=True 可略去该批次。"
    ),
    "samples_unlike": (
        "同一个下标在 rank {rank} 上取到的样本与 rank 0 不同：各 rank 拿到的是各自的数据，其中大部分将永远不会用于训"
        "练。请把完整的数据集交给每个 rank：由本库或 DistributedSampler 来划分。"
    ),
    "batch_divided": "每步 {whole} 个样本，{size} 个进程各 {each} 个",
    "loader_unlike": (
        "各 rank 的加载器不一致：{fact} 在 rank {rank} 上是 {here}，在 rank 0 上是 {first}。请把完整的数据集交给所有 "
        "rank：由本库或 DistributedSampler 来划分。"
    ),
    "sampler_unlike": (
        "rank {rank} 的 DistributedSampler 是 {fact}={here}，rank 0 的是 {fact}={first}。请在所有 rank 上以相同方式创建"
        "它：各 rank 从同一个顺序中取自己的部分。"
    ),
    "processes_changed": (
        "此加载器的采样器为每个进程给出各自的样本，而状态由 {old} 个进程保存，现在是 {new} 个。请启动同样数量的进程"
        "（None 表示当时批次是被划分的），或使用 DistributedSampler。"
    ),
    "setting_overruled": (
        "{setting}：现在构建为 {new}，仍按保存的 {in_force} 继续。若要从此使用新值，请在循环之前调用 run.keep_built("
        "{name})。"
    ),
    "setting_changed": (
        "{setting}：{old} → {new}，已按 run.keep_built 的要求采用代码中现在的值；将以 {in_force} 继续。这是有意的更改："
        "从此处起训练过程会与原来不同。"
    ),
    "seed_overruled": (
        "seed：本次给出 {new}，仍以 {old} 继续：一次训练始终使用最初的种子。若要换种子，请另开训练：换一个文件夹，或 "
        "resume='never'。"
    ),
    "schedule_refuses": (
        "“{name}”共 {horizon} 步（已完成 {done}），而 {epochs} 轮约需 {steps} 步：再多一步 torch 就会报 ValueError。"
        "请按全部轮数构建它，并在循环之前调用 run.keep_built('{name}')。"
    ),
    "schedule_climbs": (
        "“{name}”在 {horizon} 步后降至最低（已完成 {done}），而 {epochs} 轮约需 {steps} 步：此后学习率会重新上升。请"
        "按全部轮数构建它，并在循环之前调用 run.keep_built('{name}')。"
    ),
    "schedule_rests": (
        "“{name}”在 {horizon} 步后结束（已完成 {done}），而 {epochs} 轮约需 {steps} 步：此后学习率停在最后的值。请按"
        "全部轮数构建它，并在循环之前调用 run.keep_built('{name}')。"
    ),
    "schedule_at_zero": (
        "“{name}”已把学习率降到 0，而共要训练 {epochs} 轮：若保持为 0，将学不到任何东西。请按全部轮数构建它，并在循环"
        "之前调用 run.keep_built('{name}')。"
    ),
    "keep_built_unknown": (
        "keep_built({name!r}) 没有对应的被跟踪对象；可用被跟踪的优化器或调度器的名称，或以下之一：{known}。"
    ),
    "keep_built_whole": "keep_built({name!r})：调度器只能整体采用；请写 run.keep_built({owner!r})。",
    "keep_built_failed": (
        "run.keep_built({name!r})：“{name}”按现在的构建方式无法推进到保存时的位置：{detail}。请按全部步数构建它，或去掉"
        " keep_built。"
    ),
    "keep_built_too_late": "keep_built({names}) 调用过晚：训练已经开始；请在遍历 run.epochs 之前调用。",
    "link_passed_over": "{path} 是无法使用的链接，未作改动；将从最新的完好检查点继续。原因：{reason}",
    "request_goes_on": (
        "此前已从 {path} 开始恢复且尚未结束：将从其后的最新状态 {newest} 继续。若要再次回到该处，请从另一名称的副本恢"
        "复：cp {path} {copy}"
    ),
    "request_gone": "{path} 已不存在；此前已从它开始恢复：将从其后的最新状态继续。",
    "former_run_archived": (
        "该文件夹中已有一次训练（完成 {epoch} 轮又 {batch} 批），已移至 {archive}。若要继续它，请从该处最新的文件恢"
        "复：--resume {newest}。"
    ),
    "damaged_run_archived": "该文件夹中的检查点均无法读取，已移至 {archive}。",
    "former_run_unfinished": "注意：那次训练尚未完成（{epoch}/{planned} 轮）。",
    "requeue_resumes": "{counter} 表明该作业是被重新启动的：改为恢复训练，而不是从头开始。",
    "retired": "已移开（本次训练从更早的状态继续）：{path}",
    "plain_checkpoint": (
        "{path} 不是由 Unbroken 写出的：其中没有随机数状态、数据顺序和参数名。将从它所在的轮次继续；从下一次保存起即"
        "可精确恢复。"
    ),
    "data_change_allowed": "按要求使用不同的数据继续：{change}",
    "best_anew": (
        "此前的最佳值（{metric} {value}，第 {epoch} 轮）是在原来的数据上得到的；换用这份数据后，最佳值从下一轮起重新评"
        "定。"
    ),
    "config_changed": "参数 {change}",
    "environment_more": "另有 {count} 项",
    "environment_changed": "环境：{changes}（仅在相同环境下保证逐位一致）",
    "deleted_by_policy": "已按保留策略删除：{name}",
    "ended_steps": "训练完成：{done}/{goal} 步。",
    "replay_exact": "第 {after} 步之后重放了 {steps} 步，与中断前逐位一致。比较了：{what}。",
    "replay_of_other_tensors": (
        "已重放第 {after} 步之后的 {steps} 步：所比较的内容与中断前一致：{what}。被跟踪的内容没有比较，因为其中的张量"
        "已与当时不同：形状、名称或 dtype 改变，当时没有，或某个缓冲区当时与另一个共用内存。本次恢复可能并不精确。"
    ),
    "replay_of_streams": (
        "第 {after} 步之后重放了 {steps} 步：所比较的内容与中断前一致：{what}。其中没有计算结果：所跟踪的内容未见变化。"
        "如尚未跟踪模型，请跟踪它，或向 run.average 传入一个数值。"
    ),
    "replay_without_step": (
        "第 {after} 步之后重放了 {steps} 步：所比较的内容与中断前一致：{what}。其间没有任何被跟踪的优化器更新过参数"
        "（例如梯度累积的中途），所跟踪的内容也没有变化，因此没有比较训练的计算结果。"
    ),
    "replay_what_order": "样本顺序",
    "replay_what_batch": "批次内容",
    "replay_what_python": "python 随机数",
    "replay_what_numpy": "numpy 随机数",
    "replay_what_torch": "torch 随机数",
    "replay_what_average": "平均值",
    "replay_what_state": "被跟踪的状态（小张量全部，大张量抽取片段）",
    "replay_nothing": "本次恢复没有可比较的内容：保存状态的第 {after} 步之后没有训练过任何一步。",
    "replay_no_journal": "本次恢复没有可比较的内容：没有第 {after} 步之后各步的日志（文件夹不同，或日志已被删除）。",
    "replay_journal_older": (
        "本次恢复没有可比较的内容：第 {after} 步之后各步的日志由旧版本写入；下次恢复时将有本版本的日志。"
    ),
    "replay_differs_changed": (
        "重放的步从第 {step} 步起与中断前不同（{streams}）。其间的以下变化可以解释这一差异：{changes}。本次恢复与被中断"
        "的训练并非逐位一致。"
    ),
    "next_batch_differs": (
        "第 {step} 步的数据不同：该批次的内容与中断前不一致，本次恢复并不精确。数据集或 collate 函数带有自己的内部状"
        "态：请使用 python、numpy、torch 的随机数，或跟踪该生成器。若不想受其影响，请改从某一轮结束时的检查点恢复。"
    ),
    "next_batch_changed": (
        "第 {step} 步的批次内容与中断前不一致。其间的以下变化可能是原因：{changes}。本次恢复并不精确。"
    ),
    "counted_anew": (
        "对 run.batches 使用的 {kind} 又从 0 开始，而此前已完成 {done} 批（第 {epoch} 轮）：它的计数或结束位置与中断"
        "前不同。请用 run.batch（本轮内）或 run.step 计数，或从当前位置开始：enumerate(run.batches(loader), "
        "run.batch)。"
    ),
    "zipped_anew": (
        "zip 在 run.batches 旁边还取用了一个 {kind}，它从头开始，而此前已完成 {done} 批（第 {epoch} 轮）："
        "它给出的内容与原来不同，因此本次恢复不精确。请让每个加载器的批次都经过 run.batches，"
        "其他内容按 run.batch（轮内）或 run.step 选取。"
    ),
    "epoch_ends_as_before": (
        "第 {epoch} 轮与之前各轮一样在 {batches} 批后结束，尽管其加载器有 {length} 批：它是在轮内恢复的，自行计数的循环"
        "（islice、zip、enumerate）会重新开始计数。如需在别处结束，请使用 run.batch。"
    ),
    "epoch_of_other_length": (
        "在轮内恢复的第 {resumed} 轮用了 {batches} 批，而第 {other} 轮用了 {others} 批：它的循环是否又从 0 计数"
        "（islice、与普通加载器一起 zip、自行计数）？若是，则与未中断的训练不同；请用 run.batch 计数，或直接在加载器上"
        "限定长度。"
    ),
    "csv_step": "run.log_csv 会自行写入 step 列；请为该值另取名称。",
    "csv_not_ours": "{path} 不是 run.log_csv 的 CSV（首列不是 step），保持原样；请换一个文件名。",
    "nothing_tracked": (
        "没有跟踪任何对象：权重不会被保存，恢复时将从新的权重开始；请在循环之前调用 run.track(model=model, "
        "optimizer=optimizer)。"
    ),
    "best_not_recorded": "best={metric!r} 在第 {epoch} 轮没有记录（已记录：{recorded}），因此没有最佳检查点。",
    "bad_resume": "resume={value!r} 不是 'auto'（有则继续）、'never'（从头开始）或检查点的路径。",
    "track_unnamed": "track 需要为每个对象命名：run.track(model=model, optimizer=optimizer)。",
    "replay_differs": (
        "重放在第 {step} 步出现差异（{streams}）：本次恢复并不精确。差异之处指明原因：order = 采样器；batch = 数据集"
        "或 collate 函数；python、numpy、torch = 随机数在别处被取用；average = 计算本身；state = 权重、缓冲区或优化器"
        "（未保存的内容影响了它）。"
    ),
    "no_journal": "无法建立用于重放验证的日志（{error}）；训练照常进行。",
    "steps_inside_epochs": "run.batches(loader, steps=...) 用于没有 run.epochs 循环的情况；在其中请去掉 steps。",
    "loader_gives_nothing": "该加载器没有给出任何批次，无法达到目标步数；请检查其数据集与采样器。",
    "saved": "已保存 {names}（{size}，{seconds} 秒）",
    "save_failed": "保存失败：{names}：{error} 训练继续，下次保存时会重试。",
    "state_no_room": (
        "未恢复所保存的状态：系统无法再为本进程分配内存（{reason}）。文件没有问题，也未被改动；请放宽限制（ulimit -v、"
        "作业内存）后重新运行同一命令。"
    ),
    "state_not_copied": "无法复制训练状态：{reason}",
    "interrupted_saved": "已中断；状态已安全保存在 {latest}。再次运行该单元格即可继续。",
    "left_run_gone": "{folder} 中已没有该训练的状态，而内存中只是半轮的状态：请重新构建模型与优化器，并新建 Run。",
    "stopped_saved_resume": (
        "因 {cause} 停止；状态已安全保存在 {latest}。请从它恢复以继续训练：原样再次运行本命令会从头开始。"
    ),
    "stop_heard": "已收到 {signal}：当前这一步完成后，训练会保存状态并停止。",
    "stop_heard_interrupt": (
        "已收到 {signal}：当前这一步完成后，训练会保存状态并停止。再按一次 Ctrl-C 会立刻结束，不作任何保存。"
    ),
    "stopped_saved": "因 {cause} 停止；状态已安全保存在 {latest}。再次运行同一命令（或恢复命令）即可继续。",
    "stopped_unsaved": "因 {cause} 停止，且最后的状态未能保存：{error}",
    "ended": "训练完成：{done}/{count} 轮。",
    "ended_steps_on_purpose": (
        "已在第 {step} 步之后主动结束（{reason}）：训练已完成，无需再训练。如仍要继续：unbroken.Run(..., resume='"
        "{latest}')。"
    ),
    "ended_on_purpose": (
        "已在第 {epoch} 轮、第 {step} 步之后主动结束（{reason}）：训练已完成，无需再训练。如仍要继续："
        "unbroken.Run(..., resume='{latest}')。"
    ),
    "place_epoch": "第 {epoch} 轮",
    "place_step": "第 {step} 步",
    "left_early": (
        "循环在{place}提前退出；{latest} 中有最后保存的状态，再次运行同一命令即可从该处继续。若要主动结束训练，"
        "请调用 run.stop(原因)。"
    ),
    "left_by_error": (
        "{place}发生 {error}：训练中断；{latest} 中有最后保存的状态。排除原因之后（否则可能再次发生），再次运行"
        "同一命令即可从该处继续。"
    ),
    "left_early_resume": (
        "循环在{place}提前退出；{latest} 中有最后保存的状态。请从它恢复以继续训练：原样再次运行本命令会从头开"
        "始。若要主动结束训练，请调用 run.stop(原因)。"
    ),
    "left_by_error_resume": (
        "{place}发生 {error}：训练中断；{latest} 中有最后保存的状态。排除原因之后，请从它恢复以继续训练：原样再"
        "次运行本命令会从头开始。"
    ),
    "signals_unavailable": "不在主线程中：无法捕获停止信号，SIGTERM 会直接结束进程而不做最后一次保存。",
    "local_too_late": ("run.local({names}) 调用过晚：训练已经开始；请在遍历 run.epochs 之前调用，这样恢复时才能还原。"),
    "local_declared_twice": "run.local 中已有“{name}”；每个名称只给一次，并给出全新开始时的值。",
    "local_bad_name": "“{name}”不能用作 run.local 的名称；必须是标识符，且不以两个下划线开头。",
    "local_undeclared": "run.local 中没有“{name}”；现有：{names}。请在训练开始前声明：run.local({name}=...)。",
    "local_not_globals": (
        "run.local 的第一个参数只能是 globals()，照此写在拥有这些变量的模块里：{names}。"
        "函数内的变量请作为属性保存：local = run.local(NAME=...)，循环中用 local.NAME。"
    ),
    "local_of_a_function": (
        "“{name}”是函数 {function} 的变量，不在 globals() 中，恢复时不会还原；请作为属性保存：local = run.local({name}"
        "=...)，循环中用 local.{name}；或在该函数中声明 global。"
    ),
    "local_not_deleted": "local.{name} 不能删除，否则恢复后它又会出现；请设为 None。",
    "local_is_for_track": (
        "{path} 的类型是 {type}，它有自己的状态；请跟踪它，例如 run.track({name}=...)，这里只放普通的值。"
    ),
    "local_shares_memory": (
        "{path} 与被跟踪的 {owner} 共用内存，会随之改变；请保存副本：张量用 .clone()，state_dict 用 "
        "copy.deepcopy(...)。"
    ),
    "local_fields_changed": (
        "{path} 保存时是 {name}，字段为 {fields}，而该类现在的字段不同；请恢复相同的字段，或用 "
        'resume="never" 开始新的训练。'
    ),
    "local_new": (
        "run.local 的这些名称不在检查点中：{names}。它们从给定的值开始，因此依赖它们的内容可能与从头就有它们的训"
        "练不同。"
    ),
    "local_gone": "这些名称在检查点中，但已不在任何 run.local 中，未被采用：{names}。",
    "local_homeless": "这些值曾是某个被跟踪对象的一部分，而该部分已不存在，因此保持原样：{names}。",
    "local_graphs": (
        "这些张量在保存时带有计算图，而检查点无法保存计算图：{names}。它们的数值已恢复；若使用前会 detach，则恢复是精确"
        "的。请保存 detach 之后的张量：{first} = tensor.detach()。"
    ),
    "local_elsewhere": "这些张量原先所在的设备不存在，现已放在 CPU 上：{names}。",
    "start_too_late": (
        "run.start_from({path!r}) 调用过晚：训练已经开始；请在 run.track 之后、遍历 run.epochs 之前调用。"
    ),
    "start_untracked": (
        "run.start_from 指定了没有跟踪的对象：{names}；目前跟踪的有：{tracked}。请先调用 run.track，并写成“跟踪名='文件"
        "中的名称'”。"
    ),
    "start_twice": "之前已对相同的对象（{names}）调用过 run.start_from；多次调用时，每次须指定不同的对象。",
    "start_not_in_file": "{path} 中没有 {names}；其中有：{there}。请从中选择。",
    "start_nothing_there": "{path} 中没有可用作训练起点的 state_dict。",
    "start_refused": (
        "{path} 与所跟踪的内容不符，未采用任何内容。仅在文件中：{left}。已跟踪但文件中没有或形状不同：{missing}。若要采"
        "用能匹配的部分，请给出 strict=False；若只要其中一些对象，请逐个指定，例如 run.start_from(path, "
        "model='model')。"
    ),
    "start_passed_over": "本次训练从它自己的状态继续，因此没有从 {path} 采用任何内容。",
    "started_from": "新的训练从 {path} 开始：",
    "start_taken": "  采用    {name}（{count} 项），来自 {source}",
    "start_cast": "  转换    {path}",
    "start_left": "  未采用  {path}",
    "start_missing": "  缺少    {path}",
    "state_key_not_text": "run.state 的键必须是文本，而不是 {key}。",
    "bad_path": "{option}={value!r} 不是路径；请写成文本或 pathlib.Path，例如 'checkpoints'。",
    "bad_config": "config= 需要由参数组成的字典，而不是 {kind}；若为 argparse.Namespace，请传入 vars(args)。",
    "run_was_left": (
        "该 Run 曾在第 {epoch} 轮中途退出，内存中只是半轮的状态；请新建 Run（并重新构建模型与优化器），它会从最后一次"
        "保存处继续。"
    ),
    "run_is_closed": "该 Run 已关闭；请新建一个，它会从最后一次保存处继续。",
    "track_too_late": "track({names}) 调用过晚：训练已经开始；请在遍历 run.epochs 之前跟踪所有对象。",
    "batches_ahead": (
        "循环提前 {count} 批取数据（第 {epoch} 轮）：取下一批时，前一批就被算作已训练，因此从一轮之内恢复会漏掉等待中的"
        "批次，并不精确。请在前一批训练之后再取下一批；要预先加载，请用 DataLoader 的 num_workers= 和 "
        "prefetch_factor=。"
    ),
    "batches_in_a_thread": (
        "run.batches 在外层循环以外的线程中迭代：它给出的批会在训练之前就被算作已训练，保存和停止也会落在一步的中间。"
        "请在训练的线程中迭代它；要预先加载，请用 DataLoader 的 num_workers= 和 prefetch_factor=。"
    ),
    "batches_outside_epochs": (
        "run.batches 须在 run.epochs 的循环内使用：for epoch in run.epochs(n): for batch in run.batches(loader): ..."
        "（或不用该循环而给出目标步数：run.batches(loader, steps=n)）。"
    ),
    # Saving
    "drift": (
        "从本次保存起，重新启动将无法载入状态：所跟踪的对象已与循环开始前构建的不同：{differences}。若要能够恢复，请在"
        "每次启动时都在遍历 run.epochs 之前作此改动。"
    ),
    "last_state_unsafe": (
        "最后的状态未能安全保存到 {latest}：{error} 脚本继续运行期间会不断重试，结束时再试最后一次；请在此期间腾出空"
        "间，或另行保存所需内容（torch.save）。"
    ),
    "ended_unsafe": "最后的状态未能保存：{error} 进程将以退出码 74 结束。下次启动将从此前保存的状态继续。",
    "safe_after_all": "最后的状态现已安全保存在 {latest}。",
    "copy_failed": "状态已安全保存在 {names}，但 {missing} 未能写入：{error}",
    "save_incomplete": "状态已安全保存在 {names}，但保存的后续工作未能全部完成：{error}",
    "forecast_enough": "每个检查点约 {size}，剩余空间 {free}：足够保存本次训练要保留的全部检查点。",
    "forecast_later": "每个检查点约 {size}，剩余空间 {free}：足够用到计划结束（第 {planned} 轮）。",
    "forecast_far": "每个检查点约 {size}，剩余空间 {free}：足够 {epochs} 轮以上。",
    "forecast_full": (
        "磁盘将在第 {epoch}/{planned} 轮后写满：每个检查点约 {size}，{folder} 剩余 {free}。请清理空间，或少保留一些"
        "（keep=、keep_space=）。"
    ),
    "bad_size": "{value} 不是有效的大小；请给出字节数，或带单位的数字，例如 20GB 或 512MiB。",
    "folder_made_again": (
        "{folder}（或其中的 .unbroken）在训练期间被删除或移走；已重新创建，本次状态已保存其中。其中原有的检查点已不存"
        "在。"
    ),
    # Audit: what cannot be audited
    "audit_no_command_given": "请在两个短横线之后写出启动脚本的命令：unbroken audit -- python train.py",
    "audit_no_command": "无法启动 {command}：{reason}。请按在本文件夹中平时的输入方式书写命令。",
    "audit_path_outside": "{path} 在本文件夹之外，而审计比较的是本文件夹的副本：请给出文件夹内的路径。",
    "audit_path_is_folder": "{path} 就是本文件夹本身，其中还有脚本：请给出文件夹内的路径。",
    "audit_folder_outside": (
        "脚本把检查点放在 {folder}，在被审计的副本之外；那里没有写入任何内容。请给 unbroken.Run 一个相对路径。"
    ),
    "audit_folder_large": (
        "{path} 中有 {count} 个文件（{size}），太多，无法为每次运行复制一份：请在脚本自己的文件夹中启动审计，数据放在"
        "别处。"
    ),
    "audit_copy_failed": "无法为审计复制 {path}：{reason}",
    "audit_shared_changed": (
        "脚本改动了 {path}，这是各次运行共用的大文件，因此无法比较（您的原文件没有变化）：请让脚本写入其他文件。"
    ),
    "audit_script_fails": "该命令未被终止就以退出码 {code} 结束，还无法审计。它的输出：{said}",
    "audit_fails_in_a_copy": (
        "审计在 {folder} 的副本中运行该命令，而 {path} 在它之外，从副本中找不到：命令以退出码 {code} 结束。请在同时包"
        "含两者的文件夹中启动审计，或给脚本绝对路径。它的输出：{said}"
    ),
    "audit_whole_too_long": "在 {seconds} 秒内无法完成脚本的完整运行：请增大 --time，或让脚本训练更少的轮数。",
    "audit_needs_time": (
        "完整运行一次需要 {seconds} 秒，审计约需五次：请用 --time {minutes}min，或让脚本训练更少的轮数。"
    ),
    "audit_nothing_to_compare": (
        "脚本没有使用 unbroken.Run，没有可以比较的内容：请给出它结束时写出的文件和检查点文件夹：--final FILE "
        "--checkpoints FOLDER"
    ),
    "audit_final_missing": "脚本完整运行后没有留下 {path}：请给出它结束时写出的文件。",
    "audit_final_unreadable": "无法安全地打开 {path}（{reason}），因此只作整体比较。",
    "audit_no_kill": "每次终止到来之前脚本都已结束，因此什么也没有证明：请让它训练得更久一些。",
    "audit_no_resume": (
        "每次终止时要么还没有检查点（torch、pickle、safetensors、npz 或 HDF5 文件），要么已没有剩下的训练，没有看到任何"
        "恢复，因此什么也没有证明：请让它更早保存或训练更久，指明其文件夹（--checkpoints），或增加终止次数（--kills）。"
    ),
    # Audit: progress
    "audit_stage_whole": "第 {number} 次完整运行，PYTHONHASHSEED={seed}",
    "audit_stage_kill": "第 {number}/{total} 次终止：{kill}",
    "audit_stage_end": "继续运行至结束",
    "audit_stage_kept": "运行保留在 {path}",
    "audit_at": "第 {epoch} 轮，第 {step} 步",
    "audit_kill_stop": "在一轮之中收到停止信号",
    "audit_kill_again": "恢复后不久再次被终止",
    "audit_kill_random": "随机时刻被终止",
    "audit_kill_before_first_save": "首次保存之前被终止",
    "audit_kill_after_save": "保存之后立即被终止",
    "audit_kill_in_save": "保存过程中被终止",
    "audit_kill_epoch_end": "在一轮的最后一批之后（验证期间）被终止",
    # Audit: table
    "audit_column_run": "运行",
    "audit_column_at": "位置",
    "audit_column_took": "用时",
    "audit_column_result": "结果",
    "audit_row_whole": "完整运行，PYTHONHASHSEED={seed}",
    "audit_row_end": "继续运行至结束",
    "audit_row_step": "第 {step} 步",
    "audit_row_epoch": "第 {epoch} 轮",
    "audit_row_begin": "第一步之前",
    "audit_outcome_reference": "其他运行与它比较",
    "audit_outcome_same": "逐位相同",
    "audit_outcome_differs": "不同",
    "audit_outcome_failed": "无法恢复",
    "audit_outcome_not_resumed": "没有恢复",
    "audit_outcome_unknown": "能恢复；无法比较",
    # Audit: verdicts
    "audit_verdict_exact": (
        "精确恢复。在 {runs} 次运行中被终止 {kills} 次，每次运行的每一步，所保存的一切都与未被终止时逐位相同。"
    ),
    "audit_verdict_exact_files": (
        "精确恢复。在 {runs} 次运行中被终止 {kills} 次，最终文件每次都与未被终止时逐位相同。（脚本没有使用 "
        "unbroken.Run，因此没有比较中间过程。）"
    ),
    "audit_verdict_differs": "能恢复，但结果不同。恢复之后的训练不再与被终止的那次训练一致。",
    "audit_verdict_not_deterministic": (
        "脚本自身的结果不确定。两次从未被终止的完整运行就已不同；任何恢复都无法使其相同。"
    ),
    "audit_verdict_does_not_resume": "无法恢复。{why}",
    "audit_verdict_not_resumed": "没有恢复。{why}",
    "audit_never_opened": (
        "被终止后重新启动时，它没有打开已有的任何检查点（{files}），而是从头训练：每次结果相同并不能证明恢复。请让它"
        "在启动时载入最新的检查点，并从其中的步继续；或使用 unbroken.Run。"
    ),
    "audit_as_long": (
        "被终止后重新启动时，虽有 {files}，它仍像从头开始一样训练：用时 {seconds} 秒（完整运行 {whole} 秒），保存次数"
        "也相同。请让它从检查点中的步继续，而不是从第一步；或使用 unbroken.Run。"
    ),
    "audit_no_checkpoint": (
        "被终止后重新启动时，它从头训练：它写出的文件（{files}）都没有再被读取，也都不是检查点（torch、pickle、"
        "safetensors、npz 或 HDF5）。请让它保存状态并在启动时载入；或使用 unbroken.Run。"
    ),
    "audit_restart_failed": "被终止后用同一命令重新启动，它以退出码 {code} 结束。它的输出：{said}",
    "audit_starts_over": (
        '被终止后重新启动时，它把 {run} 从头开始，而此前已到第 {step} 步：是否使用了 resume="never"，或每次使用不同的'
        "文件夹？"
    ),
    "audit_too_long": "被终止后重新启动，{seconds} 秒后仍未结束。",
    "audit_never_ends": "它被启动了 {starts} 次，每次都在结束之前自行停止。",
    # Audit: findings
    "audit_first": "最早的差异",
    "audit_where": "所在",
    "audit_is": "数值",
    "audit_also": "同时不同",
    "audit_cause": "可能的原因",
    "audit_remedy": "如何修改",
    "audit_apart": "结束时相差最大",
    "audit_on_rank": "rank {rank}，{where}",
    "audit_at_step": "第 {step} 步（第 {epoch} 轮第 {batch} 批）",
    "audit_at_epoch": "第 {epoch} 轮结束时（第 {step} 步）",
    "audit_at_begin": "第一步之前",
    "audit_at_resume": "恢复的状态之中，第 {next} 步之前",
    "audit_at_end": "最后一步（{step}）之后",
    "audit_at_final": "途中某处；表现在最终文件中",
    "audit_after_resume": "{where}，从第 {from_step} 步恢复之后的第 {steps} 步",
    "audit_names": "{group}：{names}",
    "audit_names_more": "{group}：{names} 等，另有 {count} 项",
    "audit_values": "{got}（未被终止时：{expected}）",
    "audit_values_own": "一次运行中为 {got}，另一次为 {expected}",
    "audit_distance": "{path}，相差 {difference}",
    "audit_group_seed": "torch 种子",
    "audit_group_order": "数据顺序",
    "audit_group_data": "批次内容",
    "audit_group_stream": "随机数流",
    "audit_group_history": "训练历史",
    "audit_group_learning_rate": "优化器设置（学习率）",
    "audit_group_average": "损失",
    "audit_group_model": "模型",
    "audit_group_optimizer": "优化器",
    "audit_group_scheduler": "学习率调度器",
    "audit_group_other": "其他状态",
    "audit_group_state": "run.state 中的数值",
    "audit_group_course": "步数",
    "audit_group_variable": "变量",
    # Audit: what is behind a difference after a resume
    "audit_cause_untracked": "{where} 中的 {name}（{kind}）没有被跟踪，因此每次恢复都会从头开始。",
    "audit_remedy_track": "请跟踪它：run.track({key}={name})",
    "audit_cause_not_restored": (
        "{name} 恢复后与保存时不同：它的 state_dict() 与 load_state_dict() 没有涵盖全部状态，或它在创建之后、第一轮之前"
        "被改动。"
    ),
    "audit_remedy_not_restored": (
        "请修正它的 state_dict() 与 load_state_dict()，并且不要在 run.track 与 run.epochs 之间改动被跟踪的对象。"
    ),
    "audit_cause_variable": "数据相同，但有未保存的内容参与了计算。此处代码中不同的变量：{variables}。",
    "audit_remedy_variable": '请把 {name} 放进 run.state["{name}"]，或使用会被保存的 run.step、run.batch、run.epoch。',
    "audit_cause_order": "采样器的顺序依赖于恢复后不复存在的内容。",
    "audit_remedy_order": "请让采样器只使用 torch、numpy、random 的随机数，并且除 set_epoch 之外不在各轮之间保留状态。",
    "audit_cause_data": (
        "样本与顺序相同，但内容不同：数据集（或 worker 中的副本）在样本之间保留了状态（计数器、缓存或自带的随机数生成"
        "器），恢复时它会从头开始。"
    ),
    "audit_cause_data_held": "样本与顺序相同，但内容不同：数据集在样本之间保留了状态，恢复时它会从头开始：{held}。",
    "audit_remedy_data": "请让 __getitem__ 的返回值只取决于索引、set_epoch(epoch) 以及 torch、numpy、random 的随机数。",
    "audit_cause_stream": (
        "与未被终止的运行相比，有代码从该随机数流中多取或少取了随机数：只在启动时、只在某些进程中或在其他线程中运行的"
        "代码。"
    ),
    "audit_remedy_stream": "请为这类代码使用独立的随机数生成器；如果训练期间会用到，请跟踪它。",
    "audit_cause_stream_held": (
        "与未被终止的运行相比，有代码从该随机数流中多取或少取了随机数。在该步之前代码中不同、可能决定这一点的变量："
        "{variables}。（如果都不是：只在启动时、只在某些进程中或在其他线程中运行的代码。）"
    ),
    "audit_remedy_held": (
        '请把 {name} 放进 run.state["{name}"]，或为持有它的对象实现 state_dict() 与 load_state_dict() 并跟踪它；提前'
        "取得的批次也可以改为在该步开始时再取。"
    ),
    "audit_cause_learning_rate": "优化器的设置由未保存的内容决定：没有跟踪的学习率调度器，或代码自己的计数。",
    "audit_remedy_learning_rate": (
        "请跟踪调度器：run.track(scheduler=scheduler)；并用 run.step、run.epoch 计算，而不是自己的计数。"
    ),
    "audit_cause_compiled": (
        "torch.compile 生成的计算图与完整运行时不同（当时 {expected} 个，此处 {got} 个）：生成哪些图取决于先遇到哪些"
        "形状，而不同的图可能给出不同的末位。"
    ),
    "audit_remedy_compiled": (
        "请只用一种形状（drop_last=True），或让每种形状各自编译：torch.compile(model, dynamic=False)。若要确认，可设"
        "置 TORCHDYNAMO_DISABLE=1 再审计一次：若此时精确，则确为编译所致。"
    ),
    "audit_cause_average": "数据相同而损失不同：有未保存的内容参与了损失的计算。",
    "audit_remedy_average": "请跟踪损失所依赖的每个有状态的对象；数值请放进 run.state。",
    "audit_cause_model": "数据相同而权重不同：有未保存的内容参与了更新（累积的梯度、批次计数或没有跟踪的对象）。",
    "audit_remedy_model": "请跟踪参与更新的每个对象；用 run.step 与 run.batch 计数。",
    "audit_cause_optimizer": "优化器与所属的模型不一致：有未保存的内容改变了它的状态。",
    "audit_remedy_optimizer": "请只在循环中、用会被保存的数值改变优化器的状态。",
    "audit_cause_scheduler": "与未被终止的运行相比，调度器得到了不同的输入，或在不同的时刻被调用。",
    "audit_remedy_scheduler": "请在循环中、每轮或每批调用一次，并只传入来自被跟踪状态的数值。",
    "audit_cause_other": "它被未保存的内容改变。",
    "audit_remedy_other": "请跟踪它所依赖的对象，或把它放进 run.state。",
    "audit_cause_state": "它由未保存的内容计算得出。",
    "audit_remedy_state": "请用被跟踪的状态、run.step 与 run.epoch 计算它。",
    "audit_cause_history": "权重相同而指标不同：有未保存的内容参与了验证，例如权重的滑动平均或某个随机数流。",
    "audit_remedy_history": "请跟踪验证中使用的对象：run.track(ema=ema)。",
    "audit_cause_course": "训练或某一轮何时结束，由未保存的内容决定，例如连续未改进的轮数。",
    "audit_remedy_course": '请把这类计数放进 run.state，例如 run.state["patience"]。',
    "audit_cause_files": (
        "对没有使用 unbroken.Run 的脚本，无法得知差异从何处开始。常见原因：优化器、调度器或随机数状态没有保存或没有载"
        "入；当轮的数据顺序重新开始；保存不是原子的。"
    ),
    "audit_remedy_files": "请让 unbroken.Run 保存状态（三行代码），再次审计：届时会指出具体的步与对象。",
    "audit_cause_files_lack": "它恢复所用的文件（{path}）中没有{parts}：训练所依赖的这些内容在每次恢复时都会从头开始。",
    "audit_remedy_files_lack": (
        "请同时保存并载入它们（{parts}）；或让 unbroken.Run 保存状态（三行代码）并再次审计：届时会指出具体的步与对象。"
    ),
    "audit_cause_final": "训练的每一步都相同，而最终文件不同：它由没有跟踪的内容写成。",
    "audit_cause_final_held": (
        "训练的每一步都相同，而最终文件不同：它由没有跟踪的内容写成。结束时代码中不同的变量：{variables}。"
    ),
    "audit_remedy_final": "请跟踪写出它的对象，或把数值放进 run.state。",
    # Audit: what is behind a difference between two whole runs
    "audit_cause_hash": (
        "PYTHONHASHSEED 相同时两次运行相同：有代码依赖集合（或由集合得到的字典）的顺序，而它在每个进程中都不同。"
    ),
    "audit_cause_hash_held": (
        "PYTHONHASHSEED 相同时两次运行相同：有代码依赖集合的顺序，而它在每个进程中都不同。顺序或内容不同的变量："
        "{names}。"
    ),
    "audit_remedy_hash": "请排序：sorted(集合)。（在环境中设置 PYTHONHASHSEED=0 可以掩盖它。）",
    "audit_cause_optimizer_set": "{name} 在每个进程中得到的参数顺序都不同：它们来自一个集合。",
    "audit_remedy_optimizer_set": "请按模型中的顺序给优化器一个列表：[p for p in model.parameters() if …]。",
    "audit_cause_seed": "torch 的随机数流从一开始就不同：种子来自时钟、进程号或系统。",
    "audit_remedy_seed": "请用固定的数字设置种子：torch.manual_seed(0)。",
    "audit_cause_unseeded": (
        "从一开始或从此处起就不同的随机数流：{streams}。它们没有设置种子，或种子来自时钟或系统。（如果脚本并未使用它"
        "们：可能是时钟本身、os.urandom、os.listdir、多线程，或非确定性的算子。）"
    ),
    "audit_remedy_unseeded": "请用固定的数字设置种子：random.seed(0); np.random.seed(0); torch.manual_seed(0)。",
    "audit_cause_generator": "从一开始或从此处起就不同的随机数生成器：{names}。",
    "audit_remedy_generator": "请给它固定的种子：np.random.default_rng(0)、torch.Generator().manual_seed(0)。",
    "audit_cause_kernels": (
        "哈希种子与随机数流都不能解释：可能是时钟、os.urandom、os.listdir 的顺序、多线程，或非确定性的算子。"
    ),
    "audit_remedy_kernels": (
        "可以尝试 torch.use_deterministic_algorithms(True) 与 torch.set_num_threads(1)；对从文件夹列出的内容排序。"
    ),
    # Audit: notes
    "audit_note_records": "未作比较，因为它们在训练相同的完整运行之间也不同（时间？）：{names}",
    "audit_note_replayed": "无法比较完整运行，但终止前后有 {steps} 步被训练了两次，第二次与第一次逐位相同。",
    "audit_note_left_over": (
        "恢复后的运行结束时，代码中有些变量不同，但所比较的内容都不依赖它们：{variables}。如果循环之后的代码会用到，"
        "请把它们放进 run.state。"
    ),
    "audit_note_time": "因时间不足省略了 {count} 次终止；可用 --time 增加时间。",
    "audit_note_late": "有 {count} 次终止原定在脚本结束之后；更长的运行可以被终止更多次。",
    "audit_note_seed": "用相同的时刻重复：--seed {seed}",
    "audit_note_outside": (
        "脚本寻找 {path} 而没有找到：审计在 {folder} 的副本中运行它，而该路径在其之外。请在同时包含两者的文件夹中启动"
        "审计，或给脚本绝对路径。"
    ),
    "audit_note_unseen": (
        "无法看到重启后是否读取了检查点（所运行的命令不是遵循 PYTHONPATH 的 Python，且文件系统不记录访问时间）：只能根"
        "据重启后重新训练的部分变少来判断确实恢复了。"
    ),
    # Audit: parts of sentences
    "audit_part_optimizer": "优化器状态",
    "audit_part_streams": "随机数状态",
    "audit_part_count": "步数或轮数",
    "audit_variable": "{where} 中的 {name}",
    "audit_the_script": "脚本",
    "audit_is_not": "{name} 为 {got}，而不是 {expected}",
    "audit_is_other": "{name} 的内容不同",
    "audit_absent": "无",
    "audit_items": "{count} 项",
    # Commands: help
    "cli_description": "查看、校验、比较、清理和备份训练检查点。",
    "cli_help_help": "显示帮助并退出",
    "cli_help_version": "显示版本并退出",
    "cli_help_lang": "输出语言（默认随系统）",
    "cli_help_json": "输出一个 JSON 文档，而不是文字",
    "cli_help_list": "列出文件夹中的所有检查点，最新的在前",
    "cli_help_show": "显示一个检查点的全部信息",
    "cli_help_verify": "逐字节读取，检查各检查点是否完好（有损坏时退出码为 5）",
    "cli_help_diff": "比较两个检查点：指标、参数、环境和每个张量",
    "cli_help_resume_point": "说明下次恢复会使用哪个文件，以及为什么不用其他文件",
    "cli_help_prune": "删除旧的编号检查点，删除前先列出",
    "cli_help_backup": "把检查点文件夹备份到别处，逐个校验副本；已有且相同的会跳过",
    "cli_help_audit": "证明您的脚本能否精确恢复：完整运行、反复强制终止，并逐步比较",
    "cli_help_audit_command": "写在 -- 之后：启动脚本的命令，与平时输入的一样",
    "cli_help_kills": "强制终止的次数（默认：7）",
    "cli_help_time": "审计最多用时，如 90s、10min、2h（默认：10min）",
    "cli_help_checkpoints": "用于没有使用 unbroken.Run 的脚本：它的检查点文件夹，用于观察保存时刻，且不会被复制",
    "cli_help_final": "脚本结束时写出的文件，将逐张量比较；没有使用 unbroken.Run 时必须给出",
    "cli_help_keep_runs": "保留所有运行的副本、轨迹和日志",
    "cli_help_seed": "用这个数字抽取终止时刻，以便重复同一次审计",
    "cli_help_folder": "检查点文件夹（默认：checkpoints）",
    "cli_help_folder_or_file": "检查点文件夹或单个文件（默认：checkpoints）",
    "cli_help_file": "检查点文件",
    "cli_help_destination": "备份目标文件夹；不存在时自动创建",
    "cli_help_newest": "保留最新的 N 个编号检查点",
    "cli_help_keep_best": "保留最好的 N 轮的编号检查点（按该训练的指标）",
    "cli_help_keep_every": "每 N 轮保留一个",
    "cli_help_keep_every_steps": "每 N 步保留一个",
    "cli_help_keep_space": "只要本次训练的检查点总大小超过此值（如 20GB），就从最旧的编号检查点开始删除",
    "cli_help_dry_run": "只显示将要删除的文件，不实际删除",
    "cli_help_yes": "不询问，直接删除",
    # Commands: what is wrong with the words typed
    "cli_wrong_words": "{program}：{complaint}。查看帮助：{program} --help",
    "cli_words_missing": "缺少参数：{names}",
    "cli_words_unknown": "无法识别的参数：{words}",
    "cli_word_no_choice": "{name} 不能是 {word}；可选：{choices}",
    "cli_did_you_mean": "{complaint}（您是指 {word} 吗？）",
    "cli_word_bad": "{name} 的值 {word} 无效（应为 {kind}）",
    "cli_word_needs_value": "{name} 需要一个值",
    "cli_word_takes_no_value": "{name} 不接受值，却得到了 {word}",
    "cli_heading_usage": "用法：",
    "cli_heading_positional": "参数：",
    "cli_heading_options": "选项：",
    "cli_help_keep": "标记一个检查点为永久保留：任何保留策略和清理命令都不会删除它",
    "cli_help_restore": "把备份恢复到检查点文件夹；被替换的文件会保留，不覆盖任何内容",
    "cli_help_backup_folder": "备份（它本身也是检查点文件夹）",
    "cli_help_restored_to": "要恢复到的检查点文件夹；不存在时自动创建",
    "cli_help_completion": '为您的 shell 输出补全脚本：eval "$(unbroken completion bash)"',
    "cli_help_shell": "bash、zsh、fish 或 tcsh",
    "cli_help_export": "把检查点中的权重写成 safetensors 文件",
    "cli_help_output": "要写的文件；已存在的文件不会被覆盖",
    "cli_help_state": "要导出的被跟踪状态（默认：model）",
    "cli_help_subset": (
        "只读取占总字节数这一比例的文件，例如 10%：优先从未校验或最久没有校验的，反复运行同一命令即可轮流校验全部文件"
    ),
    "cli_help_deep": "另外将每个张量与保存时内存中的内容比较，并实际测试所在文件系统的可靠性",
    "cli_help_undo": "取消标记",
    # Commands: columns and labels
    "cli_column_file": "文件",
    "cli_column_epoch": "轮次",
    "cli_column_batch": "批次",
    "cli_column_step": "步数",
    "cli_column_best": "最佳（轮次）",
    "cli_column_size": "大小",
    "cli_column_verified": "校验于",
    "cli_columns_dropped": "此宽度下未显示：{names}。",
    "cli_column_saved": "保存时间",
    "cli_column_state": "状态",
    "cli_column_branch": "分支",
    "cli_column_run": "训练",
    "cli_column_why": "原因",
    "cli_column_not_taken": "未选用",
    "cli_column_delete": "将删除",
    "cli_column_backup": "备份",
    "cli_column_metric": "指标",
    "cli_column_last": "最新值",
    "cli_column_epochs": "轮数",
    "cli_column_first_difference": "差异",
    "cli_column_tracked": "所属状态",
    "cli_column_tensors": "张量数",
    "cli_column_numbers": "元素数",
    "cli_column_dtype": "数据类型",
    "cli_column_as_saved": "与保存时一致的张量",
    "cli_state_good": "完好",
    "cli_state_unverified": "未校验",
    "cli_state_damaged": "损坏",
    "cli_state_foreign": "非检查点",
    "cli_saved_on": "保存原因",
    "cli_saved_start": "训练开始",
    "cli_saved_epoch": "一轮结束",
    "cli_saved_steps": "达到步数间隔",
    "cli_saved_asked": "脚本要求保存",
    "cli_saved_time": "达到时间间隔",
    "cli_saved_signal": "收到停止信号",
    "cli_saved_branch": "从更早的状态继续",
    "cli_saved_loader_error": "数据加载出错",
    "cli_saved_end": "训练完成",
    "cli_saved_budget": "时间预算用完",
    "cli_finished": "主动结束",
    "cli_parent": "起点",
    "cli_parent_value": "训练 {run_id} 分支 {branch} 的第 {epoch} 轮、第 {batch} 批（第 {step} 步）",
    "cli_replays": "中断后的重放",
    "cli_replay_after": "第 {after} 步之后",
    "cli_replay_exact": "{steps} 步，与中断前逐位一致",
    "cli_replay_differs": "从第 {step} 步起出现差异（{streams}）；共比较 {steps} 步",
    "cli_plain_file": "无（普通文件）",
    "cli_config": "训练参数",
    "cli_environment": "运行环境",
    "cli_data": "数据",
    "cli_state": "其他状态（张量和指标之外）",
    "cli_packages": "  另有 {count} 个软件包的版本（用 --json 查看）",
    "cli_more": "  另有 {count} 项（用 --json 查看全部）",
    # Commands: list, verify
    "cli_state_note": "完好：大小和时间与保存时的封存记录一致；未校验：没有封存记录。逐字节检查请运行：unbroken verify",
    "cli_marked": "已标记为永久保留：{names}",
    "cli_archived": "此前移开的训练：{path}（{count} 个文件）；查看：{command}",
    "cli_set_aside": "因损坏而移开：{path}",
    "cli_verified": "完好：{good}，损坏：{damaged}",
    "cli_verified_bad": "{path} 在 {on} 读取时发现已损坏；要重新读取，请运行 unbroken verify。",
    "cli_subset_never": (
        "已读取 {total} 个文件中的 {count} 个；还有 {never} 个从未校验过。再次运行同一命令将继续校验它们。"
    ),
    "cli_subset_since": "已读取 {total} 个文件中的 {count} 个；每一个都在 {since} 或之后校验过。",
    "cli_no_record": "{count}（无记录）",
    "cli_tensors_differ": (
        "{path}：有 {count} 个张量与保存时内存中的内容不同（{names}），而文件本身完整：内存故障，或清单（manifest）被改"
        "动。请从其他检查点恢复（unbroken list）。"
    ),
    "cli_mount": "文件系统：{kind}，挂载于 {point}",
    "cli_promise_folder_sync": "文件名可以落盘",
    "cli_promise_replaces": "重命名可替换文件",
    "cli_promise_links": "硬链接",
    "cli_promise_clones": "共享数据块的副本（reflink）",
    "cli_promise_locks": "文件锁",
    "cli_yes": "支持",
    "cli_without_folder_sync": "不支持：断电后文件名可能仍指向之前的文件",
    "cli_without_replaces": "不支持：保存时被终止可能导致该文件缺失",
    "cli_without_links": "不支持：保存时 latest 会短暂缺失，其状态在 previous 中",
    "cli_without_clones": "不支持：每个副本都要完整写出",
    "cli_without_locks": "不支持：请自行确保只有一个训练使用该文件夹",
    "cli_not_tried": "此处不可写，未做实际测试。",
    "cli_mount_memory": "该文件夹位于内存中（{kind}）：断电后全部丢失。请把检查点保存在磁盘上。",
    "cli_mount_network": "这可能是网络文件系统（{kind}）：锁和落盘的保证可能弱于所声称的，其他机器看到更改会有延迟。",
    # Commands: nothing found
    "cli_nothing": "没有找到检查点。查找了 {pattern}：{found}。{cache}。{next}",
    "cli_found_no_folder": "该文件夹不存在",
    "cli_found_empty": "该文件夹是空的",
    "cli_found_only": "该文件夹中只有 {names}",
    "cli_found_unreadable": "无法读取该文件夹（{reason}）",
    "cli_cache_there": "预处理缓存已存在：{path}（{size}）",
    "cli_cache_missing": "也没有预处理缓存（{path}）",
    "cli_next_elsewhere": "别处有检查点（{count} 个文件夹）；请运行：{command}",
    "cli_next_training": "要开始训练，请运行：{command}",
    "cli_next_script": "请启动训练脚本，或指定其他文件夹：unbroken list FOLDER",
    "cli_no_file_alone": "{path} 不存在：{found}。{next}",
    "cli_not_a_file": "{path} 是文件夹；请指定其中的一个检查点。要查看有哪些，请运行：{next}",
    "cli_no_file": "{path} 不存在。所在文件夹中有：{found}。要查看它们，请运行：{next}",
    # Commands: diff
    "cli_from_epoch": "从第 {epoch} 轮起不同",
    "cli_same_so_far": "共有的轮次相同",
    "cli_tensors_recorded": (
        "张量（按保存时记录的摘要比较）：{equal} 个相同，{differing} 个不同，仅 A 有 {only_a} 个，仅 B 有 {only_b} 个"
    ),
    "cli_tensors_read": (
        "张量（读取文件比较）：{equal} 个相同，{differing} 个不同，仅 A 有 {only_a} 个，仅 B 有 {only_b} 个"
    ),
    "cli_diff_identical": "训练状态逐位相同。",
    "cli_diff_differ": "训练状态不同。",
    # Commands: resume-point
    "cli_resume_between": "下次恢复将使用 {path}，从第 {next} 轮开始（已完成 {step} 步，保存于 {timestamp}）。",
    "cli_resume_inside": (
        "下次恢复将使用 {path}，继续第 {next} 轮，该轮已完成 {batch} 批（已完成 {step} 步，保存于 {timestamp}）。"
    ),
    "cli_resume_at_step": "下次恢复将使用 {path}，从第 {step} 步之后继续（保存于 {timestamp}）。",
    "cli_resume_finished": "该训练已主动结束（{reason}）：恢复后无需再训练。",
    "cli_why_same": "与 {name} 是同一状态",
    "cli_why_older": "较旧",
    "cli_why_left_behind": "已被放弃：训练从更早的状态重新继续（分支 {branch}）",
    "cli_why_other_run": "属于另一个训练：{run}",
    "cli_why_foreign": "不是检查点",
    # Commands: prune
    "cli_prune_how": (
        "请说明要保留什么：--keep N（最新的 N 个）、--keep-best N（最好的 N 轮）、--keep-every N（每 N 轮一个）、"
        "--keep-every-steps N（每 N 步一个）、--keep-space SIZE（如 20GB）；同时使用时，任一规则要保留的都保留，但不超"
        "过该大小。"
    ),
    "cli_no_best": (
        "{path} 没有评定各轮好坏的指标（Run 的 best=），无法按最好的轮次保留；请用别的方式说明，例如 --keep N。"
    ),
    "cli_needs_yes": "将删除 {count} 个文件，但此处无法询问：要删除请加 --yes，只想查看请加 --dry-run。",
    "cli_ask_delete": "删除这 {count} 个文件（{size}）？[y/N]",
    "cli_nothing_deleted": "没有删除任何文件。",
    "cli_space_not_reached": (
        "仍保留 {size} 的检查点，多于 {limit}：最新、其前一份、最佳、用 unbroken keep 标记的以及分支起点永不删除。"
    ),
    "cli_nothing_to_delete": "没有可删除的文件。",
    "cli_kept": "保留：{names}",
    "cli_deleted": "已删除 {count} 个文件，释放 {size}。",
    "cli_dry_run": "将删除 {count} 个文件，释放 {size}；本次没有删除任何文件。",
    # Commands: keep
    "cli_kept_for_ever": "{path} 已标记为永久保留：任何保留策略和清理命令都不会删除它（取消：unbroken keep --undo）。",
    "cli_not_kept": "{path} 的标记已取消：保留策略和清理命令可以删除它。",
    "cli_keep_is_replaced": (
        "{path} 会随训练被更新的状态替换，无法永久保留：请标记编号检查点，或复制一份：cp {path} {copy}"
    ),
    "cli_keep_damaged": "未标记，因为无法从它恢复：{reason}",
    # Commands: export
    "cli_exported": "已写出 {path}：{file} 中的 {count} 个张量，{size}。",
    "cli_export_left_out": "以下内容不是张量，未导出：{names}",
    "cli_export_exists": "{path} 已存在，且不会覆盖任何文件；请换一个名称。",
    "cli_export_no_folder": "文件夹 {folder} 不存在，无法写出 {path}；请先创建它。",
    "cli_export_needs": "写出 safetensors 文件需要 safetensors 库：pip install 'unbroken[safetensors]'",
    "cli_export_nothing": "{path} 中没有名为 {name} 的张量状态；请用 --state 另选。被跟踪的有：{names}",
    # Commands: backup
    "cli_backup_inside": "{destination} 位于 {folder} 之内：备份会随它一起丢失；请换一个位置。",
    "cli_copied": "已复制并校验",
    "cli_unchanged": "未变化，已重新核对",
    "cli_left_out": "未复制",
    "cli_moved_aside": "{folder} 中原有另一个训练，已移至 {path}",
    "cli_replaced": "原有的文件现在是 {path}",
    "cli_restore_inside": "{destination} 位于备份 {folder} 之内：请恢复到备份之外的文件夹。",
    "cli_restore_ahead": (
        "{folder} 比备份更新（第 {step} 步，备份为第 {backup_step} 步），没有恢复任何文件。若仍要从备份继续，请从 "
        "{newest} 恢复训练，或恢复到另一个文件夹。"
    ),
    "cli_restored": (
        "已恢复到 {path}：复制 {copied} 个（{size}），{unchanged} 个未变化。查看将从何处继续：unbroken resume-point "
        "{path}"
    ),
    "cli_backed_up": "已备份到 {path}：复制 {copied} 个（{size}），{unchanged} 个未变化。",
    # Commands: report, watch
    "cli_help_report": "生成一个网页（HTML），展示训练全貌：曲线、中断、分支、保存、磁盘",
    "cli_help_report_output": "要写入的网页（默认 report.html）；那里若是以前的报告则替换，其他文件绝不覆盖",
    "cli_help_report_audit": "同时展示这份审计结果，即 'unbroken audit --json' 打印的内容",
    "cli_help_watch": "在终端中实时查看训练，按 Ctrl-C 退出",
    "cli_reported": "已写入 {path}，{size}：用浏览器打开即可，无需网络。",
    "cli_no_audit": "{path} 不是 'unbroken audit --json' 打印的内容（{reason}）。",
    "report_title": "训练报告",
    "report_of": "文件夹",
    "report_written": "生成于",
    "report_passed_over": "有更新的文件无法读取，因此本报告依据较旧的一个：",
    "report_contents": "目录",
    "report_curves": "曲线",
    "report_curves_none": "没有记录任何指标。",
    "report_curves_left_out": "数量过多，未画出：",
    "report_marks_told": (
        "虚线是一次重启，编号见下表：红色表示此前被强制终止或出错，绿色表示此前已保存状态后停止，或是主动重新启动。"
    ),
    "report_figures_behind": "数据表",
    "report_thinned": "已降采样：显示 {epochs} 轮中的 {shown} 轮；每一段都保留最低值和最高值。",
    "report_gaps": "有 {count} 个值是无穷大或 NaN：曲线在此中断，表中照实列出。",
    "report_restarts_title": "中断与重启",
    "report_restarts_unknown": "写下这次训练的版本没有记录，或这只是单独一个文件：已知的只有下面的重放验证。",
    "report_restarts_earlier": "更早的启动不在其中：当时的版本没有记录，或时间太久。",
    "report_restarts_saved_only": (
        "损失：上次保存之后训练过的步数，以重放日志所见为准；这些步会重新训练。重放验证的结果在其后第一次保存时出现。"
    ),
    "report_left": "（位于被放弃的分支）",
    "report_column_number": "编号",
    "report_column_when": "时间",
    "report_column_from": "从何处继续",
    "report_column_ended": "此前如何结束",
    "report_column_lost": "损失的步数",
    "report_column_proof": "重放验证",
    "report_column_changes": "变化",
    "report_column_where": "运行环境",
    "report_ended_begun": "从头开始",
    "report_ended_went_back": "指定了更早的状态：新的分支",
    "report_ended_complete": "计划的训练已全部完成",
    "report_ended_broken_off": "被强制终止，或因错误结束",
    "report_change_data": "换了数据（经允许）",
    "report_change_config": "参数",
    "report_change_setting": "启用的设置",
    "report_change_environment": "环境",
    "report_absent": "（无）",
    "report_unknown": "未知",
    "report_not_recorded": "该版本没有记录",
    "report_place": "已完成 {epoch} 轮，第 {step} 步",
    "report_place_step": "第 {step} 步",
    "report_place_batch": "已完成 {epoch} 轮又 {batch} 批，第 {step} 步",
    "report_processes": "{count} 个进程",
    "report_proof_none": "没有可比较的步（或尚未出现）",
    "report_proofs": "各次重启的重放验证",
    "report_proofs_none": "尚无",
    "report_proofs_exact": "{count} 次全部逐位一致，共重新训练 {steps} 步",
    "report_proofs_differ": "{of} 次中有 {count} 次不一致",
    "report_column_save": "第几次保存",
    "report_restarts": "重启次数",
    "report_lost": "损失并重新训练的步数",
    "report_last_saved": "最近保存",
    "report_lineage": "检查点与分支",
    "report_lineage_told": (
        "每一行是一个分支，每个圆点是一个检查点，位置为其步数；灰色的已被放弃或移到一旁，空心的已损坏。"
    ),
    "report_lineage_title": "{branches} 个分支，{count} 个检查点",
    "report_lineage_left_out": "因空间不足未画出的检查点：",
    "report_branch": "分支 {branch}",
    "report_mark": "{name}：第 {epoch} 轮，第 {step} 步",
    "report_rows_more": "表中未列出的其余文件：",
    "report_saves": "保存",
    "report_saves_unknown": "此处没有记录：由旧版本写下，或这是单独一个文件，或副本中没有。",
    "report_saves_count": "保存次数",
    "report_saves_failed": "失败",
    "report_saves_stalled": "保存造成的训练停顿",
    "report_saves_seconds": "落盘用时",
    "report_median": "中位数 {span}",
    "report_longest": "最长 {span}",
    "report_column_steps": "步",
    "report_column_saves": "保存次数",
    "report_column_failed": "失败",
    "report_column_stalled": "停顿（秒）",
    "report_column_seconds": "落盘用时（秒）",
    "report_column_megabytes": "大小（MB）",
    "report_disk": "磁盘",
    "report_disk_numbered": "编号检查点",
    "report_disk_others": "最新、前一份、最佳及其他",
    "report_disk_archive": "移到一旁的（归档）",
    "report_disk_free": "剩余空间",
    "report_disk_forecast": "预测",
    "report_forecast_enough": "足够保存这次训练要保留的一切",
    "report_forecast_steps": "按步编号的检查点不作预测",
    "report_forecast_planned": "足够用到计划结束（第 {planned} 轮）",
    "report_forecast_far": "足够 {epochs} 轮以上",
    "report_forecast_full": "第 {epoch} 轮之后磁盘将满",
    "report_audit": "审计",
    "report_audit_told": "按提供给本报告的审计结果原样显示；无法确认它属于这次训练。",
    "report_packages": "软件包版本",
    "report_no_script": "曲线由脚本绘制，而此浏览器不运行脚本；数据见各表。",
    "report_reading": "方向键逐点读数，拖动放大，Esc 或双击恢复全貌。",
    "report_made_by": "由 unbroken 生成，版本",
    "report_licences": "图表库的许可证",
    "report_nothing": "无。",
    "report_ago": "{span} 前",
    "watch_step": "步（当前）",
    "watch_speed": "每秒 {speed} 步",
    "watch_leave": "按 Ctrl-C 退出；训练照常进行。",
    "watch_left": "已退出；训练照常进行。",
}
