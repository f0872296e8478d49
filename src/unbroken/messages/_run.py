"""Sentences of Run: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "not_restorable": (
        "{path} was not loaded, what it holds cannot be put back: {reason} unbroken list shows which other checkpoints "
        "there are.",
        "未加载 {path}，其内容无法恢复：{reason}可用 unbroken list 查看其他检查点。",
    ),
    "started": (
        "Training from the start; the state is kept in {folder}.",
        "从头开始训练；状态保存在 {folder}。",
    ),
    "resumed": (
        "Resumed from {path} (saved {timestamp}): goes on in epoch {epoch}, {batch} of its batches done.",
        "已从 {path} 恢复（保存于 {timestamp}）：继续第 {epoch} 轮，该轮已完成 {batch} 批。",
    ),
    "fell_back": (
        "{path} is damaged and was set aside as {aside}; going on from the newest good one. Why: {reason}",
        "{path} 已损坏，已移至 {aside}；将从最新的完好检查点继续。原因：{reason}",
    ),
    "several_ranks": (
        "This process is one of {count} ranks ({told_by}), and this version keeps the state of one process only: several "
        "would go apart without a word. Train in one process: unset WORLD_SIZE, or torchrun --nproc-per-node 1.",
        "本进程是 {count} 个 rank 之一（{told_by}），而本版本只能保存单个进程的状态：多个进程会在不知不觉中失去同步。请用单个"
        "进程训练：取消 WORLD_SIZE，或使用 torchrun --nproc-per-node 1。",
    ),
    "setting_overruled": (
        "{setting}: built with {new}, goes on with {in_force} as saved. To have the new value from here on, call "
        "run.keep_built({name}) before the loop.",
        "{setting}：现在构建为 {new}，将按保存的 {in_force} 继续。若要从此使用新值，请在循环之前调用 run.keep_built({name})。",
    ),
    "setting_changed": (
        "{setting}: {old} → {new}, as built now and as asked for by run.keep_built; goes on with {in_force}. An intended "
        "change: from here on this is another course.",
        "{setting}：{old} → {new}，已按 run.keep_built 的要求采用代码中现在的值；将以 {in_force} 继续。这是有意的更改：从此处起训练"
        "走向不同。",
    ),
    "seed_overruled": (
        "seed: given {new}, goes on with {old}: a run keeps its first seed. Another seed takes another run: another "
        "folder, or resume='never'.",
        "seed：给出 {new}，将以 {old} 继续：一次训练始终使用最初的种子。若要换种子，请另开训练：换一个文件夹，或 "
        "resume='never'。",
    ),
    "schedule_refuses": (
        "'{name}' ends after {horizon} steps ({done} done), and {epochs} epochs take about {steps}: torch refuses the step "
        "after that with a ValueError. Build it for all of them, and call run.keep_built('{name}') before the loop.",
        "“{name}”共 {horizon} 步（已完成 {done}），而 {epochs} 轮约需 {steps} 步：再多一步 torch 就会报 ValueError。请按全部轮数"
        "构建它，并在循环之前调用 run.keep_built('{name}')。",
    ),
    "schedule_climbs": (
        "'{name}' is at its lowest after {horizon} steps ({done} done), and {epochs} epochs take about {steps}: the learning "
        "rate climbs again then. Build it for all of them, and call run.keep_built('{name}') before the loop.",
        "“{name}”在 {horizon} 步后降至最低（已完成 {done}），而 {epochs} 轮约需 {steps} 步：此后学习率会重新上升。请按全部轮数"
        "构建它，并在循环之前调用 run.keep_built('{name}')。",
    ),
    "schedule_rests": (
        "'{name}' ends after {horizon} steps ({done} done), and {epochs} epochs take about {steps}: the learning rate stays "
        "at its last value then. Build it for all of them, and call run.keep_built('{name}') before the loop.",
        "“{name}”在 {horizon} 步后结束（已完成 {done}），而 {epochs} 轮约需 {steps} 步：此后学习率停在最后的值。请按全部轮数"
        "构建它，并在循环之前调用 run.keep_built('{name}')。",
    ),
    "schedule_at_zero": (
        "'{name}' has brought the learning rate to 0, and {epochs} epochs are to be trained: nothing more is learnt if it "
        "stays there. Build it for all of them, and call run.keep_built('{name}') before the loop.",
        "“{name}”已把学习率降到 0，而共要训练 {epochs} 轮：若保持为 0，将学不到任何东西。请按全部轮数构建它，并在循环之前调用 "
        "run.keep_built('{name}')。",
    ),
    "keep_built_unknown": (
        "keep_built({name!r}) names nothing that is tracked; it takes a tracked optimizer or scheduler, or one of: {known}.",
        "keep_built({name!r}) 没有对应的被跟踪对象；可用被跟踪的优化器或调度器的名称，或以下之一：{known}。",
    ),
    "keep_built_whole": (
        "keep_built({name!r}): a schedule is kept as a whole; write run.keep_built({owner!r}).",
        "keep_built({name!r})：调度器只能整体采用；请写 run.keep_built({owner!r})。",
    ),
    "keep_built_failed": (
        "run.keep_built({name!r}): '{name}' as built now cannot stand where the saved one does: {detail}. Build it for all "
        "the steps there are, or leave keep_built out.",
        "run.keep_built({name!r})：“{name}”按现在的构建无法处于保存时的位置：{detail}。请按全部步数构建它，或去掉 keep_built。",
    ),
    "keep_built_too_late": (
        "keep_built({names}) came after the run had begun; call it before the loop over run.epochs.",
        "keep_built({names}) 调用过晚：训练已经开始；请在遍历 run.epochs 之前调用。",
    ),
    "link_passed_over": (
        "{path} is a link that cannot be used; it was left as it is, and the newest good state is gone on from. Why: "
        "{reason}",
        "{path} 是无法使用的链接，未作改动；将从最新的完好检查点继续。原因：{reason}",
    ),
    "request_goes_on": (
        "A resume from {path} was begun before and is not at its end: going on with what came of it, {newest}. To go "
        "back once more, resume from a copy under another name: cp {path} {copy}",
        "此前已从 {path} 开始恢复且尚未结束：将从其后的最新状态 {newest} 继续。若要再次回到该处，请从另一名称的副本恢复："
        "cp {path} {copy}",
    ),
    "request_gone": (
        "{path} is no longer there; a resume from it was begun before: going on with what came of it.",
        "{path} 已不存在；此前已从它开始恢复：将从其后的最新状态继续。",
    ),
    "former_run_archived": (
        "The folder held a run at epoch {epoch} (+{batch} batches); it was moved to {archive}. To go on with it, "
        "resume from the newest file there: --resume {newest}.",
        "该文件夹中已有一次训练（完成 {epoch} 轮又 {batch} 批），已移至 {archive}。若要继续它，请从该处最新的文件"
        "恢复：--resume {newest}。",
    ),
    "damaged_run_archived": (
        "The folder held checkpoints of which none can be read; they were moved to {archive}.",
        "该文件夹中的检查点均无法读取，已移至 {archive}。",
    ),
    "former_run_unfinished": (
        "That run was NOT finished: {epoch} of {planned} epochs were done.",
        "注意：那次训练尚未完成（{epoch}/{planned} 轮）。",
    ),
    "requeue_resumes": (
        "{counter} says this job was started again: resuming instead of starting over.",
        "{counter} 表明该作业是被重新启动的：改为恢复训练，而不是从头开始。",
    ),
    "retired": (
        "Moved aside, as this run now goes on from an older state: {path}",
        "已移开（本次训练从更早的状态继续）：{path}",
    ),
    "plain_checkpoint": (
        "{path} was not written by Unbroken: it has no random streams, data order or parameter names. Goes on from its "
        "epoch; exact resumes begin with the next save.",
        "{path} 不是由 Unbroken 写出的：其中没有随机数状态、数据顺序和参数名。将从它所在的轮次继续；从下一次保存"
        "起即可精确恢复。",
    ),
    "data_change_allowed": (
        "Going on with other data, as asked: {change}",
        "按要求使用不同的数据继续：{change}",
    ),
    "config_changed": ("Parameter {change}", "参数 {change}"),
    "environment_changed": (
        "Environment {change} (bit-for-bit equality is promised on the same environment only)",
        "环境 {change}（仅在相同环境下保证逐位一致）",
    ),
    "deleted_by_policy": ("Deleted by the retention policy: {name}", "已按保留策略删除：{name}"),
    "ended_steps": ("Done: {step} of {goal} steps.", "训练完成：{step}/{goal} 步。"),
    "replay_exact": (
        "Replayed {steps} steps after step {after}, bit for bit as before the interruption. Compared: {what}.",
        "自第 {after} 步起重放了 {steps} 步，与中断前逐位一致。比较了：{what}。",
    ),
    "replay_of_streams": (
        "Replayed {steps} steps after step {after}: as before the interruption in what was compared: {what}. Nothing that "
        "was computed is among it: track the model, or give run.average a number.",
        "自第 {after} 步起重放了 {steps} 步：所比较的内容与中断前一致：{what}。其中没有计算结果：请跟踪模型，或向 run.average "
        "提供数值。",
    ),
    "replay_what_order": ("sample order", "样本顺序"),
    "replay_what_batch": ("content of the batches", "批次内容"),
    "replay_what_python": ("python's random stream", "python 随机数"),
    "replay_what_numpy": ("numpy's random stream", "numpy 随机数"),
    "replay_what_torch": ("torch's random stream", "torch 随机数"),
    "replay_what_average": ("averages", "平均值"),
    "replay_what_state": (
        "what is tracked (small tensors whole, large ones by pieces)",
        "被跟踪的状态（小张量全部，大张量抽取片段）",
    ),
    "replay_nothing": (
        "Nothing to compare this resume with: no step was trained after step {after}, where its state was saved.",
        "本次恢复没有可比较的内容：保存状态的第 {after} 步之后没有训练过任何一步。",
    ),
    "replay_no_journal": (
        "Nothing to compare this resume with: there is no journal of the steps after step {after} (another folder, or it was deleted).",
        "本次恢复没有可比较的内容：没有第 {after} 步之后各步的日志（文件夹不同，或日志已被删除）。",
    ),
    "replay_journal_older": (
        "Nothing to compare this resume with: the journal of the steps after step {after} was written by an older version; the "
        "next resume has one of this version.",
        "本次恢复没有可比较的内容：第 {after} 步之后各步的日志由旧版本写入；下次恢复时将有本版本的日志。",
    ),
    "replay_differs_changed": (
        "The steps trained again differ from step {step} on, in {streams}. What changed since explains it: {changes}. This "
        "resume is not bit for bit the run that was interrupted.",
        "重放的步从第 {step} 步起与中断前不同（{streams}）。其间的变化可以解释：{changes}。本次恢复与被中断的训练并非逐位一致。",
    ),
    "next_batch_differs": (
        "THE DATA DIFFER at step {step}: its batch has not the content that it had before the interruption, so this resume is not "
        "exact. Something in the dataset or collate function keeps a state of its own: draw from python, numpy or torch, or "
        "track the generator. To resume without it, go back to a checkpoint at the end of an epoch.",
        "第 {step} 步的数据不同：该批次的内容与中断前不一致，本次恢复并不精确。数据集或 collate 函数保有自己的状态：请使用 "
        "python、numpy、torch 的随机数，或跟踪该生成器。若不想受其影响，请改从某一轮结束时的检查点恢复。",
    ),
    "next_batch_changed": (
        "The batch of step {step} has not the content that it had before the interruption. What changed since may explain it: "
        "{changes}. This resume is not exact.",
        "第 {step} 步的批次内容与中断前不一致。其间的变化可能是原因：{changes}。本次恢复并不精确。",
    ),
    "counted_anew": (
        "{kind} over run.batches begins at 0 again, though {done} batches were done before (epoch {epoch}): what it counts, or where it "
        "ends, is not what it was. Count by run.batch (in the epoch) or run.step, or begin where it is: enumerate(run.batches(loader), "
        "run.batch).",
        "对 run.batches 使用的 {kind} 又从 0 开始，而此前已完成 {done} 批（第 {epoch} 轮）：它的计数或结束位置与中断前不同。请用 "
        "run.batch（本轮内）或 run.step 计数，或从当前位置开始：enumerate(run.batches(loader), run.batch)。",
    ),
    "epoch_ends_as_before": (
        "Epoch {epoch} ends after {batches} batches, as the epochs before it did, though its loader has {length}: it was resumed "
        "inside, where a loop that counts for itself (islice, zip, enumerate) would begin again. To end it elsewhere, use run.batch.",
        "第 {epoch} 轮与之前各轮一样在 {batches} 批后结束，尽管其 loader 有 {length} 批：它是在轮内恢复的，自行计数的循环（islice、"
        "zip、enumerate）会重新开始计数。如需在别处结束，请使用 run.batch。",
    ),
    "epoch_of_other_length": (
        "Epoch {resumed}, which was resumed inside, took {batches} batches, and epoch {other} {others}: does its loop count from 0 again "
        "(islice, zip with a plain loader, a counter by hand)? Then this is not what an uninterrupted run does; count by run.batch, or give "
        "the length to the loader itself.",
        "在轮内恢复的第 {resumed} 轮用了 {batches} 批，而第 {other} 轮用了 {others} 批：它的循环是否又从 0 计数（islice、与普通 loader 一起 "
        "zip、自行计数）？若是，则与未中断的训练不同；请用 run.batch 计数，或直接在 loader 上限定长度。",
    ),
    "nothing_tracked": (
        "Nothing is tracked, so no weights are saved, and a resume begins with new ones; call run.track(model=model, "
        "optimizer=optimizer) before the loop.",
        "没有跟踪任何对象：权重不会被保存，恢复时将从新的权重开始；请在循环之前调用 run.track(model=model, "
        "optimizer=optimizer)。",
    ),
    "best_not_recorded": (
        "best={metric!r} was not recorded in epoch {epoch} (recorded: {recorded}), so no best checkpoint is kept.",
        "best={metric!r} 在第 {epoch} 轮没有记录（已记录：{recorded}），因此没有最佳检查点。",
    ),
    "bad_resume": (
        "resume={value!r} is none of 'auto' (go on if there is a run), 'never' (start over) or the path of a checkpoint.",
        "resume={value!r} 不是 'auto'（有则继续）、'never'（从头开始）或检查点的路径。",
    ),
    "track_unnamed": (
        "track needs a name for each object: run.track(model=model, optimizer=optimizer).",
        "track 需要为每个对象命名：run.track(model=model, optimizer=optimizer)。",
    ),
    "replay_differs": (
        "REPLAY DIFFERS at step {step} in {streams}: this resume is not exact. What differs tells where to look: order = "
        "sampler; batch = dataset or collate function; python, numpy, torch = a random stream drawn from elsewhere; average = "
        "the computation; state = weights, buffers or optimizer (something that is not saved went into them).",
        "重放在第 {step} 步出现差异（{streams}）：本次恢复并不精确。差异之处指明原因：order = 采样器；batch = 数据集或 collate "
        "函数；python、numpy、torch = 随机数在别处被取用；average = 计算本身；state = 权重、缓冲区或优化器（未保存的内容影响了它）。",
    ),
    "no_journal": (
        "No journal for the replay proof ({error}); training goes on without it.",
        "无法建立用于重放验证的日志（{error}）；训练照常进行。",
    ),
    "steps_inside_epochs": (
        "run.batches(loader, steps=...) is for use without a loop over run.epochs; leave out steps inside one.",
        "run.batches(loader, steps=...) 用于没有 run.epochs 循环的情况；在其中请去掉 steps。",
    ),
    "loader_gives_nothing": (
        "The loader gave no batch at all, so the goal in steps can't be reached; check its dataset and sampler.",
        "该 loader 没有给出任何批次，无法达到目标步数；请检查其数据集与采样器。",
    ),
    "saved": ("Saved {names} ({size}, {seconds} s)", "已保存 {names}（{size}，{seconds} 秒）"),
    "save_failed": (
        "SAVING FAILED for {names}: {error} Training goes on; the next save tries again.",
        "保存失败：{names}：{error} 训练继续，下次保存时会重试。",
    ),
    "state_no_room": (
        "The saved state was not restored: the system gives this process no more memory ({reason}). No file is at "
        "fault or was changed; raise the limit (ulimit -v, the job's memory) and run the same command again.",
        "未恢复所保存的状态：系统不再给本进程更多内存（{reason}）。文件没有问题，也未被改动；请放宽限制（ulimit -v、作业内存）"
        "后重新运行同一命令。",
    ),
    "state_not_copied": (
        "The state could not be copied: {reason}",
        "无法复制训练状态：{reason}",
    ),
    "stopped_saved_resume": (
        "Stopped on {cause}; the state is safe in {latest}. Resume from it to go on: this command as it is starts over.",
        "因 {cause} 停止；状态已安全保存在 {latest}。请从它恢复以继续训练：原样再次运行本命令会从头开始。",
    ),
    "stopped_saved": (
        "Stopped on {cause}; the state is safe in {latest}. Run the same command again (or resume) to go on.",
        "因 {cause} 停止；状态已安全保存在 {latest}。再次运行同一命令（或恢复命令）即可继续。",
    ),
    "stopped_unsaved": (
        "Stopped on {cause}, and the last state could NOT be saved: {error}",
        "因 {cause} 停止，且最后的状态未能保存：{error}",
    ),
    "ended": ("Done: {epoch} of {count} epochs.", "训练完成：{epoch}/{count} 轮。"),
    "ended_on_purpose": (
        "Ended on purpose after epoch {epoch}: {reason}",
        "在第 {epoch} 轮后按要求结束：{reason}",
    ),
    "left_early": (
        "The loop was left in epoch {epoch} before its end; {latest} has the last saved state; the same command goes "
        "on from there. To end a run on purpose, call run.stop(reason).",
        "循环在第 {epoch} 轮提前退出；{latest} 中有最后保存的状态，再次运行同一命令即可从该处继续。若要主动结束训练，"
        "请调用 run.stop(原因)。",
    ),
    "left_by_error": (
        "{error} in epoch {epoch}: the run is interrupted; {latest} has the last saved state. Once the cause is mended "
        "(as it is, it may come again), the same command goes on from there.",
        "第 {epoch} 轮发生 {error}：训练中断；{latest} 中有最后保存的状态。排除原因之后（否则可能再次发生），再次运行同一命令"
        "即可从该处继续。",
    ),
    "left_early_resume": (
        "The loop was left in epoch {epoch} before its end; {latest} has the last saved state. Resume from it to go on: "
        "this command as it is starts over. To end a run on purpose, call run.stop(reason).",
        "循环在第 {epoch} 轮提前退出；{latest} 中有最后保存的状态。请从它恢复以继续训练：原样再次运行本命令会从头开始。若要"
        "主动结束训练，请调用 run.stop(原因)。",
    ),
    "left_by_error_resume": (
        "{error} in epoch {epoch}: the run is interrupted; {latest} has the last saved state. Once the cause is mended, "
        "resume from it to go on: this command as it is starts over.",
        "第 {epoch} 轮发生 {error}：训练中断；{latest} 中有最后保存的状态。排除原因之后，请从它恢复以继续训练：原样再次运行本命令"
        "会从头开始。",
    ),
    "signals_unavailable": (
        "Not in the main thread: stop signals cannot be caught, so a SIGTERM ends this process without a last save.",
        "不在主线程中：无法捕获停止信号，SIGTERM 会直接结束进程而不做最后一次保存。",
    ),
    "state_key_not_text": (
        "A key of run.state must be text, not {key}.",
        "run.state 的键必须是文本，而不是 {key}。",
    ),
    "bad_path": (
        "{option}={value!r} is not a path; write text or a pathlib.Path, such as 'checkpoints'.",
        "{option}={value!r} 不是路径；请写成文本或 pathlib.Path，例如 'checkpoints'。",
    ),
    "bad_config": (
        "config= takes a dictionary of the run's parameters, not {kind}; of an argparse.Namespace give vars(args).",
        "config= 需要由参数组成的字典，而不是 {kind}；若为 argparse.Namespace，请传入 vars(args)。",
    ),
    "run_was_left": (
        "This Run was left in the middle of epoch {epoch}, so what is in memory is half an epoch; make a new Run (build "
        "model and optimizer anew, too): it goes on from the last save.",
        "该 Run 曾在第 {epoch} 轮中途退出，内存中只是半轮的状态；请新建 Run（并重新构建模型与优化器），它会从最后一次"
        "保存处继续。",
    ),
    "run_is_closed": (
        "This Run has been closed; make a new one: it goes on from the last save.",
        "该 Run 已关闭；请新建一个，它会从最后一次保存处继续。",
    ),
    "track_too_late": (
        "track({names}) came after the run had begun; track everything before the loop over run.epochs.",
        "track({names}) 调用过晚：训练已经开始；请在遍历 run.epochs 之前跟踪所有对象。",
    ),
    "batches_outside_epochs": (
        "run.batches is for use inside a loop over run.epochs: for epoch in run.epochs(n): for batch in "
        "run.batches(loader): ... (or without one, with a goal: run.batches(loader, steps=n)).",
        "run.batches 须在 run.epochs 的循环内使用：for epoch in run.epochs(n): for batch in run.batches(loader): ..."
        "（或不用该循环而给出目标步数：run.batches(loader, steps=n)）。",
    ),
}
