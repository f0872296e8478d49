"""Sentences of the state floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    # What cannot be saved
    "state_unsavable": (
        "{path} is a {type}, which no safe checkpoint can hold; "
        "keep it as tensors, arrays, numbers, text, lists or dicts of these.",
        "{path} 的类型是 {type}，无法安全地存入检查点；请改用张量、数组、数字、文本，或由它们组成的列表和字典。",
    ),
    "state_object_array": (
        "{path} is a numpy array of Python objects, which no safe checkpoint can hold; give it a numeric dtype.",
        "{path} 是存放 Python 对象的 numpy 数组，无法安全地存入检查点；请改用数值类型。",
    ),
    "state_too_deep": (
        "{path} is nested more than {depth} levels deep, or contains itself; save something flatter.",
        "{path} 的嵌套超过 {depth} 层，或者包含了它自身；请保存更扁平的结构。",
    ),
    "state_lazy_parameter": (
        "{path} has no shape yet; run one batch through the model before tracking it.",
        "{path} 的形状尚未确定；请先让模型前向计算一个批次，再调用 track。",
    ),
    "state_tensor_subclass": (
        "{path} is a {type}, a tensor class of its own that no safe checkpoint can hold; keep it as a "
        "plain torch.Tensor.",
        "{path} 是自定义的张量类 {type}，无法安全地存入检查点；请改用普通的 torch.Tensor。",
    ),
    "state_tensor_kind": (
        "{path} is a tensor of kind {type}, whose values cannot be saved; make it an ordinary tensor first.",
        "{path} 是 {type} 类型的张量，它的值无法保存；请先把它变成普通张量。",
    ),
    "state_named_timezone": (
        "{path} is a time in a named time zone, which would not come back the same; convert it to UTC.",
        "{path} 是带具名时区的时间，恢复后无法保持不变；请转换为 UTC。",
    ),
    "state_get_failed": (
        "The state of '{name}' cannot be read: {detail}. Repair its state_dict(), or do not track it.",
        "无法读取“{name}”的状态：{detail}。请修正它的 state_dict()，或者不要跟踪它。",
    ),
    "state_bad_encoding": (
        "The checkpoint holds a value at {path} that this version cannot read ({detail}); "
        "it is damaged, or was written by a newer version.",
        "检查点中 {path} 处的值无法读取（{detail}）；文件可能已损坏，或由更新的版本写入。",
    ),
    "state_class_gone": (
        "The checkpoint holds a {name} at {path}, but the program no longer has that class; "
        "bring it back under that name.",
        "检查点中 {path} 处的值属于类 {name}，但程序里已经没有这个类；请以原名恢复它。",
    ),
    # What cannot be tracked
    "state_bad_name": (
        "'{name}' cannot be the name of something tracked: it is no identifier, or a checkpoint uses it "
        "itself; "
        "choose another.",
        "“{name}”不能用作跟踪对象的名字：它不是合法的标识符，或已被检查点自身占用；请换一个名字。",
    ),
    "state_name_taken": (
        "'{name}' is tracked already; give the second object a name of its own.",
        "“{name}”已经在跟踪中；请给第二个对象另取名字。",
    ),
    "state_tracked_twice": (
        "'{name}' is the same object as '{other}', which is tracked already; track it once.",
        "“{name}”与已跟踪的“{other}”是同一个对象；只需跟踪一次。",
    ),
    "state_not_trackable": (
        "'{name}' is a {type}, which has no state_dict() and load_state_dict(); "
        "give it both, or keep the values in run.state.",
        "“{name}”的类型是 {type}，没有 state_dict() 和 load_state_dict()；请为它实现这两个方法，"
        "或把数值放进 run.state。",
    ),
    "state_not_taken_back": (
        "'{name}' refuses the state that it gives itself: {detail}. A resume would fail: repair its state_dict() and "
        "load_state_dict(), or keep the values in run.state.",
        "“{name}”不接受它自己给出的状态：{detail}。这样恢复时会失败：请修正它的 state_dict() 和 load_state_dict()，"
        "或把数值放进 run.state。",
    ),
    "state_other_than_given": (
        "'{name}' has another state after it was given its own: {path} differs. A resume would not be exact: repair "
        "its state_dict() and load_state_dict(), or keep the values in run.state.",
        "把“{name}”自己的状态交还给它之后，状态发生了变化：{path} 不同。这样恢复不会精确：请修正它的 state_dict() 和 "
        "load_state_dict()，或把数值放进 run.state。",
    ),
    "state_says_nothing": (
        "'{name}' is a {type} with an empty state_dict(): nothing of it will be in a checkpoint. "
        "Give it a state_dict() that has its values, or keep them in run.state.",
        "“{name}”（{type}）的 state_dict() 是空的：检查点里不会有它的任何内容。"
        "请让 state_dict() 返回它的数值，或把数值放进 run.state。",
    ),
    # What does not fit
    "state_architecture": (
        "The model is not the one that was saved: {differences}. Build the same model again, or start a "
        "new run "
        'with resume="never".',
        '模型与保存时不同：{differences}。请重新构建相同的模型，或用 resume="never" 开始新的训练。',
    ),
    "drift_gone": ("{path} {old} is gone", "{path} {old} 已不存在"),
    "drift_new": ("{path} {new} is new", "新增 {path} {new}"),
    "drift_other": ("{path} {old} → {new}", "{path} {old} → {new}"),
    "drift_ties": ("{paths} share their values with others than before", "{paths} 与其他参数的共享关系已改变"),
    "drift_groups": (
        "optimizer '{name}' has other parameters or groups: {paths}",
        "优化器“{name}”的参数或分组已不同：{paths}",
    ),
    "state_tensor_missing": ("{path} {old} is missing", "缺少 {path} {old}"),
    "state_tensor_new": ("{path} {new} is new", "多出 {path} {new}"),
    "state_tensor_differs": ("{path} {old} → {new}", "{path} {old} → {new}"),
    "state_tensor_changed": (
        "{path} is not what was saved: {old} → {new}. Build it again as it was, or start a new run with "
        'resume="never".',
        '{path} 与保存时不同：{old} → {new}。请按原样重新构建，或用 resume="never" 开始新的训练。',
    ),
    "state_names_changed": (
        "Other objects are tracked than were saved: not in the checkpoint: {absent}; in the checkpoint "
        "only: {dropped}. "
        'Track the same objects under the same names, or start a new run with resume="never".',
        "跟踪的对象与保存时不同：检查点中没有：{absent}；只在检查点中：{dropped}。"
        '请以相同的名字跟踪相同的对象，或用 resume="never" 开始新的训练。',
    ),
    "state_kind_changed": (
        "What was saved as '{name}' is not the state of a {new}; track the same object under that name as then.",
        "以“{name}”保存的并不是 {new} 的状态；请以该名字跟踪与当时相同的对象。",
    ),
    "state_optimizer_parameters": (
        "Optimizer '{name}' has other parameters than were saved: missing: {missing}; new: {new}. "
        'Give it the same parameters, or start a new run with resume="never".',
        "优化器“{name}”的参数与保存时不同：缺少：{missing}；多出：{new}。请传入相同的参数，或用 "
        'resume="never" 开始新的训练。',
    ),
    "state_optimizer_groups": (
        "Optimizer '{name}' has other parameter groups than were saved: no group holds just {names}. "
        'Group the parameters as before, or start a new run with resume="never".',
        "优化器“{name}”的参数分组与保存时不同：没有一组恰好包含 {names}。请按原来的方式分组，或用 "
        'resume="never" 开始新的训练。',
    ),
    "state_optimizer_sizes": (
        "Optimizer '{name}' has groups of {new} parameters, the checkpoint of {old}; build it with the same groups.",
        "优化器“{name}”各组的参数个数是 {new}，检查点中是 {old}；请用相同的分组构建它。",
    ),
    "state_optimizer_shape": (
        "{path} has shape {old}, its parameter {new}: the optimizer's parameters are in another order "
        "than were saved, "
        "and this file has no names; build the optimizer in the order of then.",
        "{path} 的形状是 {old}，而对应参数是 {new}：优化器的参数顺序与保存时不同，且该文件没有记录名字；"
        "请按当时的顺序构建优化器。",
    ),
    "state_optimizer_broken": (
        "The state of optimizer '{name}' in the checkpoint is not that of an optimizer; "
        "resume from another checkpoint.",
        "检查点中优化器“{name}”的状态不完整；请从其他检查点恢复。",
    ),
    "state_load_failed": (
        "'{name}' refused the state that was saved for it: {detail}. Build it as it was then, "
        'or start a new run with resume="never".',
        '“{name}”拒绝了为它保存的状态：{detail}。请按当时的方式构建它，或用 resume="never" 开始新的训练。',
    ),
    "state_not_restored": (
        "{path} did not come back as it was saved: its load_state_dict() changes or ignores it. "
        "Build the object as it was then, or repair its load_state_dict().",
        "{path} 恢复后与保存时不一致：它的 load_state_dict() 改变或忽略了该值。"
        "请按当时的方式构建该对象，或修正 load_state_dict()。",
    ),
    "state_gradient_homeless": (
        "The checkpoint holds a gradient of {name}, which nothing tracked has; track the same objects as then.",
        "检查点中有 {name} 的梯度，但跟踪的对象里没有它；请跟踪与当时相同的对象。",
    ),
    "state_class_changed": (
        "'{name}' was a {old} when it was saved, and is a {new} now; build a {old} as before, "
        'or start a new run with resume="never".',
        '“{name}”保存时是 {old}，现在是 {new}；请像原来一样构建 {old}，或用 resume="never" 开始新的训练。',
    ),
    "state_buffer_homeless": (
        "The checkpoint holds the buffer {path}, for which the model has no place; build the model as it was then, "
        'or start a new run with resume="never".',
        '检查点中有缓冲区 {path}，但模型里没有它的位置；请按当时的方式构建模型，或用 resume="never" 开始新的训练。',
    ),
    # What is said on the way
    "state_attributes_lost": (
        "A resume will not bring these back as they are now, since no checkpoint can hold them: {paths}. "
        "Keep them as tensors, numbers, text, or lists and dicts of these, or track the object by a name of its own.",
        "以下属性在训练中发生了变化，但检查点无法保存，恢复后不会是现在的值：{paths}。"
        "请改用张量、数字、文本，或由它们组成的列表和字典；也可以用单独的名字 track 该对象。",
    ),
    "state_attributes_homeless": (
        "These attributes were saved, and nothing is there to take them: {paths}. They are as they were built; "
        "build the objects as they were at the save.",
        "检查点中有这些属性，但现在没有对象可以接收：{paths}。它们保持刚构建时的样子；请按保存时的方式构建这些对象。",
    ),
    "state_optimizer_asleep": (
        "The optimizer '{name}' ({kind}) takes no steps any more, while its parameters change: what trains them is not "
        "tracked, and a resume would not have its state. Track the optimizer that is used, from the start.",
        "优化器“{name}”（{kind}）已不再更新，但它的参数仍在变化：真正训练它们的优化器没有被跟踪，恢复时将缺少它的状态。"
        "请从一开始就 track 实际使用的优化器。",
    ),
    "state_attribute_overruled": (
        "{path}: built with {built}, goes on with {saved} as saved. To have another value from here on, "
        "set it inside the loop.",
        "{path}：构建时为 {built}，将按检查点以 {saved} 继续。若要从此使用其他值，请在循环内设置。",
    ),
    "state_left_as_built": (
        "The checkpoint holds no state for {names}: it starts as it was built.",
        "检查点中没有 {names} 的状态：它将以刚构建的样子开始。",
    ),
    "state_not_taken": (
        "The checkpoint also holds the state of {names}, which is not tracked: it is not used.",
        "检查点中还有 {names} 的状态，但没有跟踪它：不会使用。",
    ),
    "state_functions_changed": (
        "The code of these functions is not what it was at the save; training goes on with the new: {paths}",
        "这些函数的代码与保存时不同，将以新的代码继续训练：{paths}",
    ),
    "state_groups_added": (
        "Optimizer '{name}' was given parameters in the course of the run, and is given them again: {names}",
        "优化器“{name}”在训练途中加入过参数，现已重新加入：{names}",
    ),
    "state_frozen_restored": (
        "requires_grad of {count} parameter(s) was set as it was at the save: {names}",
        "已按保存时的设置恢复 {count} 个参数的 requires_grad：{names}",
    ),
    # History
    "state_bad_metric": (
        "'{name}' cannot be the name of a metric: it is no identifier, or a checkpoint uses it itself; choose another.",
        "“{name}”不能用作指标的名字：它不是合法的标识符，或已被检查点自身占用；请换一个名字。",
    ),
    "state_metric_both_ways": (
        "'{name}' was given to average() and to record() in one epoch; use one of them.",
        "同一轮里“{name}”既用了 average() 又用了 record()；请只用其中一个。",
    ),
    "state_not_scalar": (
        "Metric '{name}' is a {type}, not one number; reduce it first, with .mean() for example.",
        "指标“{name}”是 {type}，不是单个数值；请先归约，例如用 .mean()。",
    ),
    "state_bad_weight": (
        "The weight of an average must be a number of at least 0, not {weight}; the batch size is a good one.",
        "平均值的权重必须是不小于 0 的数，而不是 {weight}；通常用批大小。",
    ),
    "state_bad_mode": (
        'best_mode must be "max" or "min", not {mode!r}.',
        'best_mode 必须是 "max" 或 "min"，而不是 {mode!r}。',
    ),
    "state_history_longer": (
        "History '{name}' has {found} values for {epoch} completed epochs; the first {epoch} are kept.",
        "历史记录“{name}”有 {found} 个值，而已完成 {epoch} 轮；只保留前 {epoch} 个。",
    ),
    # Guards
    "state_data_changed": (
        "The data are not those of the run: it was trained on {old}, now it is {new} ({count} file(s) "
        "differ). "
        "Use the same data, or go on with these by allow_changed_data=True (--allow-changed-data).",
        "数据与训练时不同：原来是 {old}，现在是 {new}（{count} 个文件不同）。"
        "请使用相同的数据，或用 allow_changed_data=True（--allow-changed-data）以新数据继续。",
    ),
    "state_data_count": (
        "The data are not those of the run: {old} file(s) then, {new} now; the first only on one side "
        "is {extra}. "
        "Use the same data, or go on with these by allow_changed_data=True (--allow-changed-data).",
        "数据与训练时不同：原来有 {old} 个文件，现在有 {new} 个；第一个仅一方有的文件是 {extra}。"
        "请使用相同的数据，或用 allow_changed_data=True（--allow-changed-data）以新数据继续。",
    ),
    "state_data_unreadable": (
        "The data file {path} cannot be read: {detail}. Check the path given as data=.",
        "无法读取数据文件 {path}：{detail}。请检查 data= 给出的路径。",
    ),
    "state_change": ("{setting}: {old} → {new}", "{setting}：{old} → {new}"),
    "state_absent": ("(absent)", "（无）"),
}
