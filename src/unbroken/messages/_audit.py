"""Sentences of the audit: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    # What cannot be audited
    "audit_no_command_given": (
        "Say which command starts your script, after two dashes: unbroken audit -- python train.py",
        "请在两个短横线之后写出启动脚本的命令：unbroken audit -- python train.py",
    ),
    "audit_no_command": (
        "{command} cannot be started: {reason}. Write the command as you type it in this folder.",
        "无法启动 {command}：{reason}。请按在本文件夹中平时的输入方式书写命令。",
    ),
    "audit_path_outside": (
        "{path} is outside this folder, and the audit compares copies of this folder: name a path inside it.",
        "{path} 在本文件夹之外，而审计比较的是本文件夹的副本：请给出文件夹内的路径。",
    ),
    "audit_path_is_folder": (
        "{path} is this folder itself, which holds the script too: name a path inside it.",
        "{path} 就是本文件夹本身，其中还有脚本：请给出文件夹内的路径。",
    ),
    "audit_folder_outside": (
        "The script keeps its checkpoints in {folder}, outside the copy that is audited; nothing was written there. "
        "Give unbroken.Run a relative path.",
        "脚本把检查点放在 {folder}，在被审计的副本之外；那里没有写入任何内容。请给 unbroken.Run 一个相对路径。",
    ),
    "audit_folder_large": (
        "{path} holds {count} files, {size}, more than can be copied for every run: start the audit in the script's "
        "own folder, and keep data elsewhere.",
        "{path} 中有 {count} 个文件（{size}），太多，无法为每次运行复制一份：请在脚本自己的文件夹中启动审计，数据放在"
        "别处。",
    ),
    "audit_copy_failed": ("{path} cannot be copied for the audit: {reason}", "无法为审计复制 {path}：{reason}"),
    "audit_shared_changed": (
        "The script changed {path}, a large file that all runs share, so they cannot be compared (yours is untouched): "
        "let it write to another file.",
        "脚本改动了 {path}，这是各次运行共用的大文件，因此无法比较（你的原文件没有变化）：请让脚本写入其他文件。",
    ),
    "audit_script_fails": (
        "The command ends with exit code {code} without being killed, so there is nothing to audit yet. It says: {said}",
        "该命令未被终止就以退出码 {code} 结束，还无法审计。它的输出：{said}",
    ),
    "audit_fails_in_a_copy": (
        "The audit runs the command in a copy of {folder}, and {path}, which lies outside it, is not found from there: it "
        "ends with exit code {code}. Start the audit in a folder that holds both, or give the script the absolute path. It "
        "says: {said}",
        "审计在 {folder} 的副本中运行该命令，而 {path} 在它之外，从副本中找不到：命令以退出码 {code} 结束。请在同时包含两者的"
        "文件夹中启动审计，或给脚本绝对路径。它的输出：{said}",
    ),
    "audit_whole_too_long": (
        "Whole runs of the script do not fit into {seconds} s: give --time more, or let the script train fewer epochs.",
        "在 {seconds} 秒内无法完成脚本的完整运行：请增大 --time，或让脚本训练更少的轮数。",
    ),
    "audit_needs_time": (
        "A whole run takes {seconds} s, and an audit is some five of them: give --time {minutes}min, or let the script "
        "train fewer epochs.",
        "完整运行一次需要 {seconds} 秒，审计约需五次：请用 --time {minutes}min，或让脚本训练更少的轮数。",
    ),
    "audit_nothing_to_compare": (
        "The script does not use unbroken.Run, so there is nothing to compare: name the file it ends with, and the "
        "folder of its checkpoints: --final FILE --checkpoints FOLDER",
        "脚本没有使用 unbroken.Run，没有可以比较的内容：请给出它结束时写出的文件和检查点文件夹：--final 文件 "
        "--checkpoints 文件夹",
    ),
    "audit_final_missing": (
        "A whole run of the script left no {path}: name a file that it ends with.",
        "脚本完整运行后没有留下 {path}：请给出它结束时写出的文件。",
    ),
    "audit_final_unreadable": (
        "{path} cannot be opened safely ({reason}), so it was compared as a whole.",
        "无法安全地打开 {path}（{reason}），因此只作整体比较。",
    ),
    "audit_no_kill": (
        "The script was over before any kill came, so nothing is proven: let it train longer.",
        "每次终止到来之前脚本都已结束，因此什么也没有证明：请让它训练得更久一些。",
    ),
    "audit_no_resume": (
        "No kill came when there was a checkpoint (of torch, pickle, safetensors, npz or HDF5), so no resume was seen and "
        "nothing is proven: let it save earlier or train longer, name its folder (--checkpoints), or ask for more kills "
        "(--kills).",
        "每次终止时都还没有检查点（torch、pickle、safetensors、npz 或 HDF5 文件），没有看到任何恢复，因此什么也没有证明：请让它"
        "更早保存或训练更久，指明其文件夹（--checkpoints），或增加终止次数（--kills）。",
    ),
    # Progress
    "audit_stage_whole": (
        "Whole run {number}, PYTHONHASHSEED={seed}",
        "第 {number} 次完整运行，PYTHONHASHSEED={seed}",
    ),
    "audit_stage_kill": ("Kill {number} of {total}: {kill}", "第 {number}/{total} 次终止：{kill}"),
    "audit_stage_end": ("Run on to the end", "继续运行至结束"),
    "audit_stage_kept": ("Runs are kept in {path}", "运行保留在 {path}"),
    "audit_at": ("epoch {epoch}, step {step}", "第 {epoch} 轮，第 {step} 步"),
    "audit_kill_stop": ("a stop signal inside an epoch", "在一轮之中收到停止信号"),
    "audit_kill_again": ("killed again, soon after a resume", "恢复后不久再次被终止"),
    "audit_kill_random": ("killed at random", "随机时刻被终止"),
    "audit_kill_before_first_save": ("killed before the first save", "首次保存之前被终止"),
    "audit_kill_after_save": ("killed right after a save", "保存之后立即被终止"),
    "audit_kill_in_save": ("killed in a save", "保存过程中被终止"),
    "audit_kill_epoch_end": (
        "killed behind an epoch's last batch, in its validation",
        "在一轮的最后一批之后（验证期间）被终止",
    ),
    # Table
    "audit_column_run": ("run", "运行"),
    "audit_column_at": ("at", "位置"),
    "audit_column_took": ("took", "用时"),
    "audit_column_result": ("result", "结果"),
    "audit_row_whole": ("whole, PYTHONHASHSEED={seed}", "完整运行，PYTHONHASHSEED={seed}"),
    "audit_row_end": ("run on to its end", "继续运行至结束"),
    "audit_row_step": ("step {step}", "第 {step} 步"),
    "audit_row_begin": ("before any step", "第一步之前"),
    "audit_outcome_reference": ("what the others are compared with", "其他运行与它比较"),
    "audit_outcome_same": ("the same, bit for bit", "逐位相同"),
    "audit_outcome_differs": ("DIFFERS", "不同"),
    "audit_outcome_failed": ("DOES NOT RESUME", "无法恢复"),
    "audit_outcome_not_resumed": ("NOT RESUMED", "没有恢复"),
    "audit_outcome_unknown": ("resumes; not comparable", "能恢复；无法比较"),
    # Verdicts
    "audit_verdict_exact": (
        "EXACT. Killed {kills} time(s) in {runs} run(s), and at every step of every run all that is saved was, bit for bit, "
        "what it is without a kill.",
        "精确恢复。在 {runs} 次运行中被终止 {kills} 次，每次运行的每一步，所保存的一切都与未被终止时逐位相同。",
    ),
    "audit_verdict_exact_files": (
        "EXACT. Killed {kills} time(s) in {runs} run(s), and each time the final file was, bit for bit, what it is without a "
        "kill. (What happened on the way was not compared: the script does not use unbroken.Run.)",
        "精确恢复。在 {runs} 次运行中被终止 {kills} 次，最终文件每次都与未被终止时逐位相同。（脚本没有使用 "
        "unbroken.Run，因此没有比较中间过程。）",
    ),
    "audit_verdict_differs": (
        "RESUMES, BUT DIFFERS. After a resume the script trains on as another run than the one that was killed.",
        "能恢复，但结果不同。恢复之后，脚本的训练与被终止的那次不再是同一次训练。",
    ),
    "audit_verdict_not_deterministic": (
        "NOT DETERMINISTIC BY ITSELF. Two whole runs of the script, never killed, are not the same; no resume can make "
        "them so.",
        "脚本自身不确定。两次从未被终止的完整运行已不相同；任何恢复都无法使其相同。",
    ),
    "audit_verdict_does_not_resume": ("DOES NOT RESUME. {why}", "无法恢复。{why}"),
    "audit_verdict_not_resumed": ("NOT RESUMED. {why}", "没有恢复。{why}"),
    "audit_never_opened": (
        "Started again after a kill, it did not open any of the checkpoints that were there ({files}) and trained from the "
        "start: that it ends the same each time proves no resume. Let it load the newest one when it starts, and go on "
        "from the step in it; or let unbroken.Run do so.",
        "被终止后重新启动时，它没有打开已有的任何检查点（{files}），而是从头训练：每次结果相同并不能证明恢复。请让它在启动时载入"
        "最新的检查点，并从其中的步继续；或使用 unbroken.Run。",
    ),
    "audit_as_long": (
        "Started again after a kill, with {files} there, it trained as much as from the start: it took {seconds} s (a whole "
        "run {whole} s) and saved as often. Let it go on from the step in the checkpoint, not from the first; or let "
        "unbroken.Run do so.",
        "被终止后重新启动时，虽有 {files}，它仍像从头开始一样训练：用时 {seconds} 秒（完整运行 {whole} 秒），保存次数也相同。请让它"
        "从检查点中的步继续，而不是从第一步；或使用 unbroken.Run。",
    ),
    "audit_no_checkpoint": (
        "Started again after a kill, it trained from the start: none of what it writes ({files}) was read again, and none is "
        "a checkpoint (of torch, pickle, safetensors, npz or HDF5). Let it save its state and load it when it starts; or "
        "let unbroken.Run do so.",
        "被终止后重新启动时，它从头训练：它写出的文件（{files}）都没有再被读取，也都不是检查点（torch、pickle、safetensors、npz 或 "
        "HDF5）。请让它保存状态并在启动时载入；或使用 unbroken.Run。",
    ),
    "audit_restart_failed": (
        "Started again with the same command after a kill, it ended with exit code {code}. It says: {said}",
        "被终止后用同一命令重新启动，它以退出码 {code} 结束。它的输出：{said}",
    ),
    "audit_starts_over": (
        "Started again after a kill, it began {run} afresh, though it had been at step {step}: is it started with "
        'resume="never", or in another folder each time?',
        "被终止后重新启动时，它把 {run} 从头开始，而此前已到第 {step} 步：是否使用了 "
        'resume="never"，或每次使用不同的文件夹？',
    ),
    "audit_too_long": (
        "Started again after a kill, it had not ended after {seconds} s.",
        "被终止后重新启动，{seconds} 秒后仍未结束。",
    ),
    "audit_never_ends": (
        "It was started {starts} times and stopped itself each time, before its end.",
        "它被启动了 {starts} 次，每次都在结束之前自行停止。",
    ),
    # Findings
    "audit_first": ("First difference", "最早的差异"),
    "audit_where": ("in", "所在"),
    "audit_is": ("value", "数值"),
    "audit_also": ("there also", "同时不同"),
    "audit_cause": ("likely cause", "可能的原因"),
    "audit_remedy": ("what to change", "如何修改"),
    "audit_apart": ("furthest apart at the end", "结束时相差最大"),
    "audit_at_step": ("step {step} (epoch {epoch}, batch {batch})", "第 {step} 步（第 {epoch} 轮第 {batch} 批）"),
    "audit_at_epoch": ("end of epoch {epoch} (step {step})", "第 {epoch} 轮结束时（第 {step} 步）"),
    "audit_at_begin": ("before the first step", "第一步之前"),
    "audit_at_resume": ("in the state restored, before step {next}", "恢复的状态之中，第 {next} 步之前"),
    "audit_at_end": ("after the last step ({step})", "最后一步（{step}）之后"),
    "audit_at_final": ("somewhere on the way; it shows in the final file", "途中某处；表现在最终文件中"),
    "audit_after_resume": (
        "{where}, {steps} step(s) after the resume from step {from_step}",
        "{where}，从第 {from_step} 步恢复之后的第 {steps} 步",
    ),
    "audit_names": ("{group}: {names}", "{group}：{names}"),
    "audit_names_more": ("{group}: {names} and {count} more", "{group}：{names} 等，另有 {count} 项"),
    "audit_values": ("{got} (without a kill: {expected})", "{got}（未被终止时：{expected}）"),
    "audit_values_own": ("{got} in one run, {expected} in the other", "一次运行中为 {got}，另一次为 {expected}"),
    "audit_distance": ("{path} by {difference}", "{path}，相差 {difference}"),
    "audit_group_seed": ("the torch seed", "torch 种子"),
    "audit_group_order": ("data order", "数据顺序"),
    "audit_group_data": ("contents of the batches", "批次内容"),
    "audit_group_stream": ("random stream", "随机数流"),
    "audit_group_history": ("history", "训练历史"),
    "audit_group_learning_rate": ("optimizer settings (learning rate)", "优化器设置（学习率）"),
    "audit_group_average": ("loss", "损失"),
    "audit_group_model": ("model", "模型"),
    "audit_group_optimizer": ("optimizer", "优化器"),
    "audit_group_scheduler": ("scheduler", "学习率调度器"),
    "audit_group_other": ("other state", "其他状态"),
    "audit_group_state": ("values in run.state", "run.state 中的数值"),
    "audit_group_course": ("number of steps", "步数"),
    "audit_group_variable": ("variable", "变量"),
    # What is behind a difference after a resume
    "audit_cause_untracked": (
        "{name} ({kind}, in {where}) is not tracked, so it starts anew at every resume.",
        "{where} 中的 {name}（{kind}）没有被跟踪，因此每次恢复都会从头开始。",
    ),
    "audit_remedy_track": ("Track it: run.track({key}={name})", "请跟踪它：run.track({key}={name})"),
    "audit_cause_not_restored": (
        "{name} does not come back as it was saved: what its state_dict() gives and its load_state_dict() takes is not "
        "all of it, or something changes it between its making and the first epoch.",
        "{name} 没有恢复成保存时的样子：它的 state_dict() 与 load_state_dict() 没有涵盖全部状态，或在创建之后、第一轮之前"
        "被改动。",
    ),
    "audit_remedy_not_restored": (
        "Repair its state_dict() and load_state_dict(), and change nothing tracked between run.track and run.epochs.",
        "请修正它的 state_dict() 与 load_state_dict()，并且不要在 run.track 与 run.epochs 之间改动被跟踪的对象。",
    ),
    "audit_cause_variable": (
        "The same data, and something that is not saved enters the computation. What the code holds differently there: "
        "{variables}.",
        "数据相同，但有未保存的内容参与了计算。此处代码中不同的变量：{variables}。",
    ),
    "audit_remedy_variable": (
        'Keep {name} in run.state["{name}"], or use run.step, run.batch and run.epoch, which are saved.',
        '请把 {name} 放进 run.state["{name}"]，或使用会被保存的 run.step、run.batch、run.epoch。',
    ),
    "audit_cause_order": (
        "The sampler's order depends on something that is not there again after a resume.",
        "采样器的顺序依赖于恢复后不复存在的内容。",
    ),
    "audit_remedy_order": (
        "Let the sampler draw from torch, numpy or random only, and keep no state between epochs but set_epoch's.",
        "请让采样器只使用 torch、numpy、random 的随机数，并且除 set_epoch 之外不在各轮之间保留状态。",
    ),
    "audit_cause_data": (
        "The same samples in the same order, but other contents: the dataset, or a worker's copy of it, keeps something "
        "from sample to sample (a counter, a cache, a generator of its own) that starts anew at a resume.",
        "样本与顺序相同，但内容不同：数据集（或 worker 中的副本）在样本之间保留了状态（计数器、缓存或自带的随机数生成"
        "器），恢复时它会从头开始。",
    ),
    "audit_cause_data_held": (
        "The same samples in the same order, but other contents: the dataset keeps something from sample to sample that "
        "starts anew at a resume: {held}.",
        "样本与顺序相同，但内容不同：数据集在样本之间保留了状态，恢复时它会从头开始：{held}。",
    ),
    "audit_remedy_data": (
        "Make what __getitem__ returns depend on its index, on set_epoch(epoch) and on torch, numpy and random alone.",
        "请让 __getitem__ 的返回值只取决于索引、set_epoch(epoch) 以及 torch、numpy、random 的随机数。",
    ),
    "audit_cause_stream": (
        "Something draws from this stream more often, or less, than in a run that is not killed: code that runs only at "
        "the start, only in some processes, or in another thread.",
        "与未被终止的运行相比，有代码从该随机数流中多取或少取了随机数：只在启动时、只在某些进程中或在其他线程中运行的"
        "代码。",
    ),
    "audit_remedy_stream": (
        "Give such code a generator of its own, and track it if it draws during training.",
        "请为这类代码使用独立的随机数生成器；如果训练期间会用到，请跟踪它。",
    ),
    "audit_cause_stream_held": (
        "Something draws from this stream more often, or less, than in a run that is not killed. What the code holds "
        "differently before that step, and may decide it: {variables}. (If it is none of these: code that runs only at the "
        "start, only in some processes, or in another thread.)",
        "与未被终止的运行相比，有代码从该随机数流中多取或少取了随机数。在该步之前代码中不同、可能决定这一点的变量：{variables}。"
        "（如果都不是：只在启动时、只在某些进程中或在其他线程中运行的代码。）",
    ),
    "audit_remedy_held": (
        'Keep {name} in run.state["{name}"], or give the object that holds it state_dict() and load_state_dict() and track '
        "it; what is fetched ahead of its step can be fetched at the beginning of it.",
        '请把 {name} 放进 run.state["{name}"]，或为持有它的对象实现 state_dict() 与 load_state_dict() 并跟踪它；提前取得的批次也'
        "可以改为在该步开始时再取。",
    ),
    "audit_cause_learning_rate": (
        "The optimizer's settings are set by something that is not saved: a scheduler that is not tracked, or a count of "
        "the code's own.",
        "优化器的设置由未保存的内容决定：没有跟踪的学习率调度器，或代码自己的计数。",
    ),
    "audit_remedy_learning_rate": (
        "Track the scheduler: run.track(scheduler=scheduler); compute from run.step and run.epoch, not from a count.",
        "请跟踪调度器：run.track(scheduler=scheduler)；并用 run.step、run.epoch 计算，而不是自己的计数。",
    ),
    "audit_cause_compiled": (
        "torch.compile made other graphs than in the whole run ({expected} by then, {got} here): which ones it makes depends "
        "on the shapes it meets first, and other graphs may give other last bits.",
        "torch.compile 生成的计算图与完整运行时不同（当时 {expected} 个，此处 {got} 个）：生成哪些图取决于先遇到哪些形状，"
        "而不同的图可能给出不同的末位。",
    ),
    "audit_remedy_compiled": (
        "Compile for one shape (drop_last=True) or for each of its own: torch.compile(model, dynamic=False). To be sure "
        "that it is this, audit once with TORCHDYNAMO_DISABLE=1 set: exact then, the compiler it was.",
        "请只用一种形状（drop_last=True），或让每种形状各自编译：torch.compile(model, dynamic=False)。若要确认，可设置 "
        "TORCHDYNAMO_DISABLE=1 再审计一次：若此时精确，则确为编译所致。",
    ),
    "audit_cause_average": (
        "The same data, and another loss: something that is not saved enters its computation.",
        "数据相同而损失不同：有未保存的内容参与了损失的计算。",
    ),
    "audit_remedy_average": (
        "Track every object whose state the loss depends on; keep numbers in run.state.",
        "请跟踪损失所依赖的每个有状态的对象；数值请放进 run.state。",
    ),
    "audit_cause_model": (
        "The same data, and other weights: something that is not saved takes part in the update (accumulated gradients, "
        "a count of batches, an object that is not tracked).",
        "数据相同而权重不同：有未保存的内容参与了更新（累积的梯度、批次计数或没有跟踪的对象）。",
    ),
    "audit_remedy_model": (
        "Track every object that takes part in the update; count with run.step and run.batch.",
        "请跟踪参与更新的每个对象；用 run.step 与 run.batch 计数。",
    ),
    "audit_cause_optimizer": (
        "The optimizer goes another way than the model it belongs to: something that is not saved changes its state.",
        "优化器与所属的模型不一致：有未保存的内容改变了它的状态。",
    ),
    "audit_remedy_optimizer": (
        "Change the optimizer's state in the loop only, from values that are saved.",
        "请只在循环中、用会被保存的数值改变优化器的状态。",
    ),
    "audit_cause_scheduler": (
        "The scheduler is given something else than in a run that is not killed, or is stepped at other moments.",
        "与未被终止的运行相比，调度器得到了不同的输入，或在不同的时刻被调用。",
    ),
    "audit_remedy_scheduler": (
        "Step it once per epoch or batch, inside the loop, with values that come from tracked state.",
        "请在循环中、每轮或每批调用一次，并只传入来自被跟踪状态的数值。",
    ),
    "audit_cause_other": (
        "It is changed by something that is not saved.",
        "它被未保存的内容改变。",
    ),
    "audit_remedy_other": (
        "Track what it depends on, or keep it in run.state.",
        "请跟踪它所依赖的对象，或把它放进 run.state。",
    ),
    "audit_cause_state": (
        "It is computed from something that is not saved.",
        "它由未保存的内容计算得出。",
    ),
    "audit_remedy_state": (
        "Compute it from tracked state, run.step and run.epoch.",
        "请用被跟踪的状态、run.step 与 run.epoch 计算它。",
    ),
    "audit_cause_history": (
        "The same weights, and another metric: something that is not saved enters the validation, such as an average of "
        "the weights, or a stream of random numbers.",
        "权重相同而指标不同：有未保存的内容参与了验证，例如权重的滑动平均或某个随机数流。",
    ),
    "audit_remedy_history": (
        "Track what the validation uses: run.track(ema=ema).",
        "请跟踪验证中使用的对象：run.track(ema=ema)。",
    ),
    "audit_cause_course": (
        "When the training ends, or an epoch, is decided by something that is not saved, such as a count of epochs "
        "without improvement.",
        "训练或某一轮何时结束，由未保存的内容决定，例如连续未改进的轮数。",
    ),
    "audit_remedy_course": (
        'Keep such counts in run.state, e.g. run.state["patience"].',
        '请把这类计数放进 run.state，例如 run.state["patience"]。',
    ),
    "audit_cause_files": (
        "Of a script without unbroken.Run it is not known where the difference begins. Usual causes: the optimizer, the "
        "scheduler or a random stream is not saved or not loaded; the data order of the epoch starts anew; a save is "
        "not atomic.",
        "对没有使用 unbroken.Run 的脚本，无法得知差异从何处开始。常见原因：优化器、调度器或随机数状态没有保存或没有载入；"
        "当轮的数据顺序重新开始；保存不是原子的。",
    ),
    "audit_remedy_files": (
        "Let unbroken.Run keep the state (three lines), and audit again: it then names the step and the object.",
        "请让 unbroken.Run 保存状态（三行代码），再次审计：届时会指出具体的步与对象。",
    ),
    "audit_cause_files_lack": (
        "What it goes on from ({path}) has no {parts}: whatever of these the training depends on starts anew at every resume.",
        "它恢复所用的文件（{path}）中没有{parts}：训练所依赖的这些内容在每次恢复时都会从头开始。",
    ),
    "audit_remedy_files_lack": (
        "Save and load these as well ({parts}), or let unbroken.Run keep the state (three lines) and audit again: it then "
        "names the step and the object.",
        "请同时保存并载入它们（{parts}）；或让 unbroken.Run 保存状态（三行代码）并再次审计：届时会指出具体的步与对象。",
    ),
    "audit_cause_final": (
        "Every step of the training was the same, and yet the final file is not: it is made from something that is not "
        "tracked.",
        "训练的每一步都相同，而最终文件不同：它由没有跟踪的内容写成。",
    ),
    "audit_cause_final_held": (
        "Every step of the training was the same, and yet the final file is not: it is made from something that is not "
        "tracked. What the code holds differently at the end: {variables}.",
        "训练的每一步都相同，而最终文件不同：它由没有跟踪的内容写成。结束时代码中不同的变量：{variables}。",
    ),
    "audit_remedy_final": (
        "Track the object that it is made from, or keep its values in run.state.",
        "请跟踪写出它的对象，或把数值放进 run.state。",
    ),
    # What is behind a difference between two whole runs
    "audit_cause_hash": (
        "With the same PYTHONHASHSEED two runs are the same: something depends on the order of a set (or of a dict made "
        "from one), which is another in every process.",
        "PYTHONHASHSEED 相同时两次运行相同：有代码依赖集合（或由集合得到的字典）的顺序，而它在每个进程中都不同。",
    ),
    "audit_cause_hash_held": (
        "With the same PYTHONHASHSEED two runs are the same: something depends on the order of a set, which is another "
        "in every process. What is in another order, or holds other things: {names}.",
        "PYTHONHASHSEED 相同时两次运行相同：有代码依赖集合的顺序，而它在每个进程中都不同。顺序或内容不同的变量：{names}。",
    ),
    "audit_remedy_hash": (
        "Sort it: sorted(the_set). (PYTHONHASHSEED=0 in the environment hides it.)",
        "请排序：sorted(集合)。（在环境中设置 PYTHONHASHSEED=0 可以掩盖它。）",
    ),
    "audit_cause_optimizer_set": (
        "{name} gets its parameters in another order in every process: they come out of a set.",
        "{name} 在每个进程中得到的参数顺序都不同：它们来自一个集合。",
    ),
    "audit_remedy_optimizer_set": (
        "Give the optimizer a list in the model's order: [p for p in model.parameters() if …].",
        "请按模型中的顺序给优化器一个列表：[p for p in model.parameters() if …]。",
    ),
    "audit_cause_seed": (
        "Torch's random stream is another one from the start: seeded from the clock, the process number or the system.",
        "torch 的随机数流从一开始就不同：种子来自时钟、进程号或系统。",
    ),
    "audit_remedy_seed": (
        "Seed it with a fixed number: torch.manual_seed(0).",
        "请用固定的数字设置种子：torch.manual_seed(0)。",
    ),
    "audit_cause_unseeded": (
        "Random streams that are another from the start, or from here on: {streams}. They are not seeded, or seeded from "
        "the clock or the system. (If the script draws from none of them: the clock itself, os.urandom, os.listdir, "
        "threads, or kernels that are not deterministic.)",
        "从一开始或从此处起就不同的随机数流：{streams}。它们没有设置种子，或种子来自时钟或系统。（如果脚本并未使用它们：可能是时钟"
        "本身、os.urandom、os.listdir、多线程，或非确定性的算子。）",
    ),
    "audit_remedy_unseeded": (
        "Seed them with a fixed number: random.seed(0); np.random.seed(0); torch.manual_seed(0).",
        "请用固定的数字设置种子：random.seed(0); np.random.seed(0); torch.manual_seed(0)。",
    ),
    "audit_cause_generator": (
        "A random generator is another one from the start, or from here on: {names}.",
        "从一开始或从此处起就不同的随机数生成器：{names}。",
    ),
    "audit_remedy_generator": (
        "Give it a fixed seed: np.random.default_rng(0), torch.Generator().manual_seed(0).",
        "请给它固定的种子：np.random.default_rng(0)、torch.Generator().manual_seed(0)。",
    ),
    "audit_cause_kernels": (
        "Neither the hash seed nor a random stream explains it: the clock, os.urandom, the order of os.listdir, several "
        "threads, or kernels that are not deterministic.",
        "哈希种子与随机数流都不能解释：可能是时钟、os.urandom、os.listdir 的顺序、多线程，或非确定性的算子。",
    ),
    "audit_remedy_kernels": (
        "Try torch.use_deterministic_algorithms(True) and torch.set_num_threads(1); sort what is listed from a folder.",
        "可以尝试 torch.use_deterministic_algorithms(True) 与 torch.set_num_threads(1)；对从文件夹列出的内容排序。",
    ),
    # Notes
    "audit_note_records": (
        "Not compared, as they differ between whole runs that train the same (times?): {names}",
        "未作比较，因为它们在训练相同的完整运行之间也不同（时间？）：{names}",
    ),
    "audit_note_replayed": (
        "Whole runs cannot be compared, but {steps} steps were trained twice around the kills, the second time bit for "
        "bit as the first.",
        "无法比较完整运行，但终止前后有 {steps} 步被训练了两次，第二次与第一次逐位相同。",
    ),
    "audit_note_left_over": (
        "At the end of a resumed run the code holds something else, though nothing that was compared depends on it: "
        "{variables}. If code behind the loop uses it, keep it in run.state.",
        "恢复后的运行结束时，代码中有些变量不同，但所比较的内容都不依赖它们：{variables}。如果循环之后的代码会用到，请把"
        "它们放进 run.state。",
    ),
    "audit_note_time": (
        "{count} kill(s) were left out for lack of time; --time gives more.",
        "因时间不足省略了 {count} 次终止；可用 --time 增加时间。",
    ),
    "audit_note_late": (
        "{count} kill(s) would have come after the script's end; a longer run is killed more often.",
        "有 {count} 次终止原定在脚本结束之后；更长的运行可以被终止更多次。",
    ),
    "audit_note_seed": (
        "To repeat it with the same moments: --seed {seed}",
        "用相同的时刻重复：--seed {seed}",
    ),
    "audit_note_outside": (
        "The script looked for {path}, and did not find it: the audit runs it in copies of {folder}, and that lies outside. "
        "Start the audit in a folder that holds both, or give the script the absolute path.",
        "脚本寻找 {path} 而没有找到：审计在 {folder} 的副本中运行它，而该路径在其之外。请在同时包含两者的文件夹中启动审计，或给"
        "脚本绝对路径。",
    ),
    "audit_note_unseen": (
        "Whether a checkpoint was read after a restart could not be seen (no Python that heeds PYTHONPATH, and a file system "
        "that keeps no times of access): that less was trained again is all that tells a resume.",
        "无法看到重启后是否读取了检查点（运行的不是遵循 PYTHONPATH 的 Python，且文件系统不记录访问时间）：只能根据再次训练的内容更少"
        "来判断发生了恢复。",
    ),
    # Parts of sentences
    "audit_part_optimizer": ("state of an optimizer", "优化器状态"),
    "audit_part_streams": ("random streams", "随机数状态"),
    "audit_part_count": ("count of steps or epochs", "步数或轮数"),
    "audit_comma": (", ", "、"),
    "audit_variable": ("{name} in {where}", "{where} 中的 {name}"),
    "audit_the_script": ("the script", "脚本"),
    "audit_is_not": ("{name} is {got}, not {expected}", "{name} 为 {got}，而不是 {expected}"),
    "audit_is_other": ("{name} holds other values", "{name} 的内容不同"),
    "audit_absent": ("nothing", "无"),
    "audit_items": ("{count} items", "{count} 项"),
}
