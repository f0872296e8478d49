"""Sentences of the loop floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "bad_duration": (
        "{option}={value!r} is not a duration above zero; write for example '90s', '10min' or '1.5h'.",
        "{option}={value!r} 不是大于零的时长；请写成例如 '90s'、'10min' 或 '1.5h'。",
    ),
    "bad_count": (
        "{option}={value!r} is not a whole number from 1 up.",
        "{option}={value!r} 应为不小于 1 的整数。",
    ),
    "not_a_loader": (
        "run.batches takes a torch.utils.data.DataLoader, not a {loader}; wrap your dataset in a DataLoader.",
        "run.batches 需要 torch.utils.data.DataLoader，而不是 {loader}；请用 DataLoader 包装数据集。",
    ),
    "loader_subclass": (
        "{loader} is a subclass of DataLoader, and its position cannot be restored exactly yet; give run.batches a "
        "plain DataLoader over the same dataset, or iterate the loader yourself: it then resumes at whole epochs.",
        "{loader} 是 DataLoader 的子类，目前无法精确恢复其位置；请把同一数据集的普通 DataLoader 交给 "
        "run.batches，或自行遍历该 loader（此时只能按整轮恢复）。",
    ),
    "loader_iterable": (
        "{dataset} is an IterableDataset, and a position inside it cannot be restored exactly yet; give run.batches a "
        "map-style dataset, or iterate the loader yourself: it then resumes at whole epochs.",
        "{dataset} 是 IterableDataset，目前无法精确恢复其中的位置；请改用支持下标访问的数据集，或自行遍历该 "
        "loader（此时只能按整轮恢复）。",
    ),
    "loader_out_of_order": (
        "This DataLoader has in_order=False: the order of its batches depends on which worker is faster, so no resume "
        "can be exact; drop in_order=False.",
        "该 DataLoader 设置了 in_order=False：批次顺序取决于各 worker 的快慢，无法精确恢复；请去掉 in_order=False。",
    ),
    "sampler_not_positional": (
        "The sampler {sampler} gives another order each time it is iterated from the same random state (does it count "
        "its passes, or draw from somewhere else?), so its order cannot be restored exactly; let it draw from torch, "
        "numpy or random, or from the number given to set_epoch.",
        "采样器 {sampler} 在相同随机状态下每次遍历得到的顺序不同（它是否自行计数，或从别处取随机数？），无法精确"
        "恢复其顺序；请让它只使用 torch、numpy、random 的随机数，或 set_epoch 传入的轮号。",
    ),
    "sampler_uncheckable": (
        "The sampler {sampler} cannot be copied to check that its order is repeatable ({error}); make it copyable "
        "with copy.deepcopy, or use a sampler of torch.utils.data.",
        "采样器 {sampler} 无法复制，因而不能检查其顺序是否可重现（{error}）；请使其支持 copy.deepcopy，或改用 "
        "torch.utils.data 自带的采样器。",
    ),
    "epoch_length_changed": (
        "The checkpoint is inside epoch {epoch}, after {batch} of {old} batches, but the loader now has {new}; go back "
        "to the former batch size and data, or resume from a checkpoint at the end of an epoch.",
        "检查点位于第 {epoch} 轮之内（已完成 {batch}/{old} 批），而现在的 loader 有 {new} 批；请恢复原来的 batch "
        "size 与数据，或改从某一轮结束时的检查点恢复。",
    ),
}
