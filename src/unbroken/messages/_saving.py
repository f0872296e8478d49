"""Sentences about how saves went and what they will need: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "drift": (
        "FROM THIS SAVE ON A RESTART CANNOT TAKE THE STATE: what is tracked is no longer what was built before the loop: "
        "{differences}. Make that change before the loop over run.epochs, in every start, and it can.",
        "从本次保存起，重新启动将无法载入状态：所跟踪的对象已与循环开始前构建的不同：{differences}。请在每次启动时于遍历 "
        "run.epochs 之前就作此改动，即可恢复。",
    ),
    "last_state_unsafe": (
        "THE LAST STATE IS NOT SAFE in {latest}: {error} It is tried again while the script goes on, and a last time at "
        "its end; make room meanwhile, or save what you need elsewhere (torch.save).",
        "最后的状态未能安全保存到 {latest}：{error} 脚本继续运行期间会不断重试，结束时再试最后一次；请在此期间腾出空间，或"
        "另行保存所需内容（torch.save）。",
    ),
    "ended_unsafe": (
        "The last state could NOT be saved: {error} The process ends with exit code 74. The state saved before it is what "
        "the next start goes on from.",
        "最后的状态未能保存：{error} 进程将以退出码 74 结束。下次启动将从此前保存的状态继续。",
    ),
    "safe_after_all": (
        "The last state is safe after all, in {latest}.",
        "最后的状态现已安全保存在 {latest}。",
    ),
    "copy_failed": (
        "The state is safe in {names}, but {missing} COULD NOT BE WRITTEN: {error}",
        "状态已安全保存在 {names}，但 {missing} 未能写入：{error}",
    ),
    "save_incomplete": (
        "The state is safe in {names}, but what belongs to the save was not all done: {error}",
        "状态已安全保存在 {names}，但保存的后续工作未能全部完成：{error}",
    ),
    "forecast_enough": (
        "A checkpoint takes about {size}; {free} are free: room for all that this run keeps.",
        "每个检查点约 {size}，剩余空间 {free}：足够保存本次训练要保留的全部检查点。",
    ),
    "forecast_later": (
        "A checkpoint takes about {size}; {free} are free: enough to the planned end (epoch {planned}); full after epoch "
        "{epoch}.",
        "每个检查点约 {size}，剩余空间 {free}：足够用到计划结束（第 {planned} 轮），到第 {epoch} 轮后将写满。",
    ),
    "forecast_full": (
        "THE DISK WILL BE FULL after epoch {epoch} of {planned}: a checkpoint takes about {size}, {free} are free in {folder}. "
        "Free some space, or keep fewer (keep=, keep_space=).",
        "磁盘将在第 {epoch}/{planned} 轮后写满：每个检查点约 {size}，{folder} 剩余 {free}。请清理空间，或少保留一些"
        "（keep=、keep_space=）。",
    ),
    "bad_size": (
        "{value} is no size; give bytes, or a number with a unit, such as 20GB or 512MiB.",
        "{value} 不是有效的大小；请给出字节数，或带单位的数字，例如 20GB 或 512MiB。",
    ),
    "folder_made_again": (
        "{folder} (or .unbroken in it) was deleted or moved during the training; it was made again, and this save is in it. "
        "Checkpoints that were in it are no longer there.",
        "{folder}（或其中的 .unbroken）在训练期间被删除或移走；已重新创建，本次状态已保存其中。其中原有的检查点已不存在。",
    ),
}
