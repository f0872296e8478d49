"""Sentences of the loop floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "stream_damaged": (
        "A random stream in the checkpoint is not one ({detail}): it is damaged, or of another version of Python, NumPy or "
        "torch. Resume from another checkpoint: unbroken list shows which there are.",
        "检查点中的随机数状态无效（{detail}）：它已损坏，或来自其他版本的 Python、NumPy 或 torch。请从其他检查点恢复：可用 "
        "unbroken list 查看。",
    ),
    "other_accelerators": (
        "The checkpoint has the random streams of {saved} GPUs, and there are {here} here: as many are restored as there are on "
        "both; what is drawn on others is not as it would have been.",
        "检查点中有 {saved} 个 GPU 的随机数状态，而本机有 {here} 个：两者共有的已恢复；其余 GPU 上的随机数将与原来不同。",
    ),
    "bad_duration": (
        "{option}={value!r} is not a duration above zero; write for example '90s', '10min' or '1.5h'.",
        "{option}={value!r} 不是大于零的时长；请写成例如 '90s'、'10min' 或 '1.5h'。",
    ),
    "bad_count": (
        "{option}={value!r} is not a whole number from 1 up.",
        "{option}={value!r} 应为不小于 1 的整数。",
    ),
    "bad_seed": (
        "seed={value} is not a whole number from -2**63 to 2**64 - 1.",
        "seed={value} 不是 -2**63 到 2**64 - 1 之间的整数。",
    ),
    "not_a_loader": (
        "run.batches takes a torch.utils.data.DataLoader, not a {loader}; wrap your dataset in a DataLoader.",
        "run.batches 需要 torch.utils.data.DataLoader，而不是 {loader}；请用 DataLoader 包装数据集。",
    ),
    "loader_exact": (
        "Exact at any batch, and nothing is loaded again; the first batch, loaded twice, was the same ({batches} batches per epoch, {workers} workers).",
        "可在任意批次精确恢复，且无需重新加载；第一批加载了两次，结果相同（每轮 {batches} 批，{workers} 个 worker）。",
    ),
    "loader_not_repeatable": (
        "NOT EXACT inside an epoch: the first batch, loaded twice, was not the same. {dataset}, or the collate function, keeps a "
        "state of its own that Unbroken does not know. Draw from python, numpy or torch, hold generators in attributes, or "
        "resume from checkpoints at the end of an epoch only, where that state is as at the start.",
        "在一轮之内无法精确恢复：第一批加载了两次，结果不同。{dataset} 或 collate 函数保有 Unbroken 不了解的状态。请使用 python、"
        "numpy、torch 的随机数，把生成器放在属性里，或只从某一轮结束时的检查点恢复（且该状态须与开始时相同）。",
    ),
    "ahead_does_not_fit": (
        "The checkpoint keeps the order of {kept} samples to come, which does not fit a dataset of {samples}; use the former data, or "
        "resume from a checkpoint at the end of an epoch.",
        "检查点中保存了之后 {kept} 个样本的顺序，与含 {samples} 个样本的数据集不符；请使用原来的数据，或改从某一轮结束时的检查点恢复。",
    ),
    "loader_changed": (
        "The loader is not the one of before: {fact} {old} → {new} (length: batches of an epoch; samples: of the dataset; sampler: what draws "
        "the order). Training goes on with the new one, which is another course.",
        "loader 与此前不同：{fact} {old} → {new}（length：每轮批数；samples：数据集样本数；sampler：决定顺序的采样器）。将以新的 loader "
        "继续，训练走向随之不同。",
    ),
    "samples_changed": (
        "The checkpoint is inside an epoch over {old} samples, but the dataset now has {new}; use the former data, or resume from "
        "a checkpoint at the end of an epoch.",
        "检查点位于一轮之内（该轮有 {old} 个样本），而现在的数据集有 {new} 个；请使用原来的数据，或改从某一轮结束时的检查点恢复。",
    ),
    "compiled_for_two_shapes": (
        "The model is compiled, and the last batch of an epoch is smaller: a resumed process may meet the two shapes in "
        "another order, compile other graphs, and differ in the last bits. Exact with drop_last=True, or with "
        "torch.compile(model, dynamic=False).",
        "模型已编译，而每轮最后一批较小：恢复后的进程可能以另一顺序遇到这两种形状，生成不同的计算图，结果在末位上可能"
        "不同。使用 drop_last=True 或 torch.compile(model, dynamic=False) 则精确。",
    ),
    "loader_replayed_iterable": (
        "An IterableDataset has no positions: exact at any batch, by loading again what was loaded before in the epoch, if every pass over it "
        "begins anew and depends on python, numpy and torch only; a resume compares it ({batches} batches per epoch, {workers} workers; "
        "their number must stay the same).",
        "IterableDataset 没有下标：可在任意批次精确恢复，但需重新加载该轮之前的数据，且每次遍历都须从头开始、只依赖 python、numpy 和 torch "
        "的随机数；恢复时会进行比较（每轮 {batches} 批，{workers} 个 worker，其数量须保持不变）。",
    ),
    "loader_replayed_subclass": (
        "This DataLoader iterates in a way of its own: resumed by iterating it again from the start of the epoch, exact "
        "if its order comes from python, numpy or torch ({batches} batches, {workers} workers).",
        "该 DataLoader 自定义了遍历方式：恢复时从该轮开头重新遍历；只要其顺序来自 python、numpy 或 torch 的随机数即为"
        "精确（{batches} 批，{workers} 个 worker）。",
    ),
    "loader_subclass_persistent": (
        "{loader} iterates in a way of its own and keeps its workers between epochs, so their random state cannot be "
        "restored; set persistent_workers=False.",
        "{loader} 自定义了遍历方式且在各轮之间保留 worker，其随机状态无法恢复；请设置 persistent_workers=False。",
    ),
    "generators_not_all_searched": (
        "{dataset} holds too many objects to search them all for random generators of its own; one that was not found "
        "is not set by position: let it draw from python, numpy or torch, or hold the generator in an attribute.",
        "{dataset} 持有的对象过多，无法全部查找其自带的随机数生成器；未找到的生成器不会按位置设定：请使用 python、numpy 或 "
        "torch 的全局随机数，或把生成器放在它自己的属性里。",
    ),
    "workers_changed": (
        "This loader ran with {old} workers before and has {new} now, and its order depends on that; set num_workers "
        "back to {old}.",
        "该 loader 此前使用 {old} 个 worker，现在为 {new} 个，而其顺序取决于此；请把 num_workers 改回 {old}。",
    ),
    "order_changed": (
        "The sampler {sampler} now gives another order than before the interruption (epoch {epoch}, first {batch} "
        "batches); it depends on something that is not saved. Resume from a checkpoint at the end of an epoch.",
        "采样器 {sampler} 给出的顺序与中断前不同（第 {epoch} 轮前 {batch} 批），它依赖于未保存的状态；请改从某一轮结束"
        "时的检查点恢复。",
    ),
    "next_order_changed": (
        "The sampler gives batch {batch} of epoch {epoch} other samples than it had before the interruption; the dataset, the "
        "sampler or the library that draws the order has changed. Go back to them, or resume from a checkpoint at the end of an "
        "epoch.",
        "采样器为第 {epoch} 轮第 {batch} 批给出的样本与中断前不同；数据集、采样器或抽取顺序的库已改变。请恢复原状，或改从某一轮"
        "结束时的检查点恢复。",
    ),
    "counting_sampler_twice": (
        "This loader's sampler counts how often it is iterated, and epoch {epoch} iterates it beside or after another "
        "loop; give it to the first loop of the epoch only.",
        "该 loader 的采样器会统计被遍历的次数，而第 {epoch} 轮在另一循环之外又遍历了它；请只在每轮的第一个循环中使用它。",
    ),
    "other_loop_leads": (
        "The checkpoint was made in loop {old} over a loader in this epoch, but now loop {new} asks for the first batch; "
        "resume from a checkpoint at the end of an epoch, or run the script as it was.",
        "该检查点保存于本轮的第 {old} 个数据循环中，而现在由第 {new} 个循环先取数据；请改从某一轮结束时的检查点恢复，"
        "或使用原来的脚本。",
    ),
    "loader_out_of_order": (
        "This DataLoader has in_order=False: the order of its batches depends on which worker is faster, so no resume "
        "can be exact; drop in_order=False.",
        "该 DataLoader 设置了 in_order=False：批次顺序取决于各 worker 的快慢，无法精确恢复；请去掉 in_order=False。",
    ),
    "sampler_not_repeatable": (
        "Two copies of the sampler {sampler} give different orders from the same random state (does it draw from the "
        "system, or the clock?), so its order cannot be restored; let it draw from torch, numpy or random.",
        "采样器 {sampler} 的两个副本在相同随机状态下给出不同的顺序（它是否使用了系统随机数或时钟？），无法恢复其顺序；请"
        "让它只使用 torch、numpy、random 的随机数。",
    ),
    "sampler_uncheckable": (
        "The sampler {sampler} cannot be copied to check that its order is repeatable ({error}); make it copyable "
        "with copy.deepcopy, or use a sampler of torch.utils.data.",
        "采样器 {sampler} 无法复制，因而不能检查其顺序是否可重现（{error}）；请使其支持 copy.deepcopy，或改用 "
        "torch.utils.data 自带的采样器。",
    ),
    "epoch_length_changed": (
        "The checkpoint is inside an epoch of {old} batches, but the loader now has {new}; go back to the former batch "
        "size and data, or resume from a checkpoint at the end of an epoch.",
        "检查点位于一轮之内（该轮共 {old} 批），而现在的 loader 有 {new} 批；请恢复原来的 batch size 与数据，或改从某一轮"
        "结束时的检查点恢复。",
    ),
    # Variables
    "variables_lost": (
        "These variables of the loop are not what they were at the save: {names} ({where}). They began anew with the "
        "program, so what depends on them is not exact in this resume. Keep them in run.state, as "
        'run.state["{first}"]: resumes of what is saved then have them.',
        "循环中的这些变量与保存时不同：{names}（{where}）。它们随程序重新开始，因此依赖它们的内容在本次恢复中并不精确。请把它们放进 "
        'run.state，例如 run.state["{first}"]：此后保存的状态恢复时就会有它们。',
    ),
    "objects_lost": (
        "These objects of the loop have a state, are not tracked, and are not what they were at the save: {names} ({where}). They began anew "
        "with the program, so what depends on them is not exact in this resume. Track them, as run.track({first}={first}): resumes of what "
        "is saved then have them.",
        "循环中的这些对象带有状态、没有被跟踪，且与保存时不同：{names}（{where}）。它们随程序重新开始，因此依赖它们的内容在本次恢复中并不精确。"
        "请跟踪它们，例如 run.track({first}={first})：此后保存的状态恢复时就会有它们。",
    ),
}
