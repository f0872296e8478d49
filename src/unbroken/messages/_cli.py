"""Sentences of the cli floor: key -> (English, Chinese)."""

SENTENCES: dict[str, tuple[str, str]] = {
    # Help
    "cli_description": (
        "Look at, check, compare, thin out and back up the checkpoints of a training run.",
        "查看、校验、比较、清理和备份训练检查点。",
    ),
    "cli_help_help": ("show this help and exit", "显示帮助并退出"),
    "cli_help_version": ("show the version and exit", "显示版本并退出"),
    "cli_help_lang": ("language of what is said (default: as the system's)", "输出语言（默认随系统）"),
    "cli_help_json": ("one JSON document instead of text", "输出一个 JSON 文档，而不是文字"),
    "cli_help_list": ("list every checkpoint in a folder, the newest first", "列出文件夹中的所有检查点，最新的在前"),
    "cli_help_show": ("show all that one checkpoint says of itself", "显示一个检查点的全部信息"),
    "cli_help_verify": (
        "read every byte and say which checkpoints are good (exit code 5 if one is not)",
        "逐字节读取，检查各检查点是否完好（有损坏时退出码为 5）",
    ),
    "cli_help_diff": (
        "compare two checkpoints: metrics, parameters, environment, every tensor",
        "比较两个检查点：指标、参数、环境和每个张量",
    ),
    "cli_help_resume_point": (
        "say which file the next resume takes, and why not the others",
        "说明下次恢复会使用哪个文件，以及为什么不用其他文件",
    ),
    "cli_help_prune": (
        "delete old numbered checkpoints, after showing which",
        "删除旧的编号检查点，删除前先列出",
    ),
    "cli_help_backup": (
        "copy a checkpoint folder elsewhere, every copy verified; what is there already is skipped",
        "把检查点文件夹备份到别处，逐个校验副本；已有且相同的会跳过",
    ),
    "cli_help_audit": (
        "prove whether your script resumes exactly: run it whole, kill it, compare every step",
        "证明你的脚本能否精确恢复：完整运行、反复强制终止，并逐步比较",
    ),
    "cli_help_audit_command": (
        "after --, the command that starts your script, as you would type it",
        "写在 -- 之后：启动脚本的命令，与平时输入的一样",
    ),
    "cli_help_kills": ("how many times to kill it (default: 7)", "强制终止的次数（默认：7）"),
    "cli_help_time": (
        "how long the audit may take, such as 90s, 10min, 2h (default: 10min)",
        "审计最多用时，如 90s、10min、2h（默认：10min）",
    ),
    "cli_help_checkpoints": (
        "for a script without unbroken.Run: the folder of its checkpoints, watched for saves and not copied",
        "用于没有使用 unbroken.Run 的脚本：它的检查点文件夹，用于观察保存时刻，且不会被复制",
    ),
    "cli_help_final": (
        "a file that the script ends with, compared tensor by tensor; needed without unbroken.Run",
        "脚本结束时写出的文件，将逐张量比较；没有使用 unbroken.Run 时必须给出",
    ),
    "cli_help_keep_runs": ("keep the copies, traces and logs of all runs", "保留所有运行的副本、轨迹和日志"),
    "cli_help_seed": (
        "draw the moments of the kills from this number, to repeat an audit",
        "用这个数字抽取终止时刻，以便重复同一次审计",
    ),
    "cli_help_folder": ("the checkpoint folder (default: checkpoints)", "检查点文件夹（默认：checkpoints）"),
    "cli_help_folder_or_file": (
        "a checkpoint folder, or one file (default: checkpoints)",
        "检查点文件夹或单个文件（默认：checkpoints）",
    ),
    "cli_help_file": ("a checkpoint file", "检查点文件"),
    "cli_help_destination": ("where the copies go; made if missing", "备份目标文件夹；不存在时自动创建"),
    "cli_help_newest": ("how many of the newest numbered checkpoints to keep", "保留最新的多少个编号检查点"),
    "cli_help_keep_space": (
        "delete the oldest numbered ones as long as the run's checkpoints take more than this, such as 20GB",
        "只要本次训练的检查点总大小超过此值（如 20GB），就从最旧的编号检查点开始删除",
    ),
    "cli_help_dry_run": ("only show what would be deleted", "只显示将要删除的文件，不实际删除"),
    "cli_help_yes": ("delete without asking", "不询问，直接删除"),
    # What is wrong with the words typed
    "cli_wrong_words": (
        "{program}: {complaint}. For help: {program} --help",
        "{program}：{complaint}。查看帮助：{program} --help",
    ),
    "cli_words_missing": ("missing: {names}", "缺少参数：{names}"),
    "cli_words_unknown": ("not understood: {words}", "无法识别的参数：{words}"),
    "cli_word_no_choice": ("{name} cannot be {word}; choose from {choices}", "{name} 不能是 {word}；可选：{choices}"),
    "cli_word_bad": ("{word} is not a valid value ({kind}) for {name}", "{name} 的值 {word} 无效（应为 {kind}）"),
    "cli_word_needs_value": ("{name} needs a value", "{name} 需要一个值"),
    "cli_word_takes_no_value": ("{name} takes no value, but got {word}", "{name} 不接受值，却得到了 {word}"),
    "cli_heading_usage": ("usage: ", "用法："),
    "cli_heading_positional": ("arguments:", "参数："),
    "cli_heading_options": ("options:", "选项："),
    "cli_help_keep": (
        "mark a checkpoint to be kept for ever: no retention policy and no prune deletes it",
        "标记一个检查点为永久保留：任何保留策略和清理命令都不会删除它",
    ),
    "cli_help_restore": (
        "bring a backup back into a checkpoint folder; what it replaces is kept, nothing is overwritten",
        "把备份恢复到检查点文件夹；被替换的文件会保留，不覆盖任何内容",
    ),
    "cli_help_backup_folder": ("the backup, a checkpoint folder itself", "备份（它本身也是检查点文件夹）"),
    "cli_help_restored_to": (
        "the checkpoint folder to restore to; made if missing",
        "要恢复到的检查点文件夹；不存在时自动创建",
    ),
    "cli_help_completion": (
        'print a script for your shell, which then completes the words of this command: eval "$(unbroken completion bash)"',
        '为您的 shell 输出补全脚本：eval "$(unbroken completion bash)"',
    ),
    "cli_help_shell": ("bash, zsh or tcsh", "bash、zsh 或 tcsh"),
    "cli_help_export": (
        "write the weights of a checkpoint to a safetensors file",
        "把检查点中的权重写成 safetensors 文件",
    ),
    "cli_help_output": ("the file to write; one that exists is not overwritten", "要写的文件；已存在的文件不会被覆盖"),
    "cli_help_state": ("which tracked state to export (default: model)", "要导出的被跟踪状态（默认：model）"),
    "cli_help_deep": (
        "also compare every tensor with what was in memory when it was saved, and try out what this mount promises",
        "另外将每个张量与保存时内存中的内容比较，并实际测试所在文件系统的可靠性",
    ),
    "cli_help_undo": ("take the mark away", "取消标记"),
    # Columns and labels
    "cli_column_file": ("file", "文件"),
    "cli_column_epoch": ("epoch", "轮次"),
    "cli_column_batch": ("batch", "批次"),
    "cli_column_step": ("step", "步数"),
    "cli_column_best": ("best (epoch)", "最佳（轮次）"),
    "cli_column_size": ("size", "大小"),
    "cli_column_saved": ("saved", "保存时间"),
    "cli_column_state": ("state", "状态"),
    "cli_column_branch": ("branch", "分支"),
    "cli_column_run": ("run", "训练"),
    "cli_column_why": ("why not", "原因"),
    "cli_column_not_taken": ("not taken", "未选用"),
    "cli_column_delete": ("to delete", "将删除"),
    "cli_column_backup": ("backup", "备份"),
    "cli_column_metric": ("metric", "指标"),
    "cli_column_last": ("last value", "最新值"),
    "cli_column_epochs": ("epochs", "轮数"),
    "cli_column_first_difference": ("difference", "差异"),
    "cli_column_tracked": ("state of", "所属状态"),
    "cli_column_tensors": ("tensors", "张量数"),
    "cli_column_numbers": ("numbers", "元素数"),
    "cli_column_dtype": ("dtype", "数据类型"),
    "cli_column_as_saved": ("tensors as saved", "与保存时一致的张量"),
    "cli_state_good": ("good", "完好"),
    "cli_state_unverified": ("unverified", "未校验"),
    "cli_state_damaged": ("damaged", "损坏"),
    "cli_state_foreign": ("not a checkpoint", "非检查点"),
    "cli_saved_on": ("why saved", "保存原因"),
    "cli_saved_start": ("start of the run", "训练开始"),
    "cli_saved_epoch": ("end of an epoch", "一轮结束"),
    "cli_saved_steps": ("every so many steps", "达到步数间隔"),
    "cli_saved_time": ("every so much time", "达到时间间隔"),
    "cli_saved_signal": ("stopped by a signal", "收到停止信号"),
    "cli_saved_branch": ("went on from an older state", "从更早的状态继续"),
    "cli_saved_loader_error": ("loading data failed", "数据加载出错"),
    "cli_saved_end": ("end of the training", "训练完成"),
    "cli_saved_budget": ("end of the time budget", "时间预算用完"),
    "cli_finished": ("ended on purpose", "主动结束"),
    "cli_parent": ("went on from", "起点"),
    "cli_parent_value": (
        "epoch {epoch}, batch {batch}, step {step} of branch {branch} (run {run_id})",
        "训练 {run_id} 分支 {branch} 的第 {epoch} 轮、第 {batch} 批（第 {step} 步）",
    ),
    "cli_replays": ("Replayed after interruptions", "中断后的重放"),
    "cli_replay_after": ("after step {after}", "自第 {after} 步起"),
    "cli_replay_exact": ("{steps} steps, bit for bit as before", "{steps} 步，与中断前逐位一致"),
    "cli_replay_differs": (
        "DIFFERS from step {step} on, in {streams}; {steps} steps compared",
        "从第 {step} 步起出现差异（{streams}）；共比较 {steps} 步",
    ),
    "cli_plain_file": ("none (plain file)", "无（普通文件）"),
    "cli_config": ("Parameters", "训练参数"),
    "cli_environment": ("Environment", "运行环境"),
    "cli_data": ("Data", "数据"),
    "cli_state": ("State beside tensors and metrics", "其他状态（张量和指标之外）"),
    "cli_packages": (
        "  and {count} package versions (--json shows them)",
        "  另有 {count} 个软件包的版本（用 --json 查看）",
    ),
    "cli_more": ("  and {count} more (--json shows all)", "  另有 {count} 项（用 --json 查看全部）"),
    # list, verify
    "cli_state_note": (
        "good: as sealed when it was saved, by size and time; unverified: no seal. To read every byte: unbroken verify",
        "完好：大小和时间与保存时的封存记录一致；未校验：没有封存记录。逐字节检查请运行：unbroken verify",
    ),
    "cli_marked": ("Marked to be kept for ever: {names}", "已标记为永久保留：{names}"),
    "cli_archived": (
        "Moved aside earlier: {path} ({count} file(s)); to look into it: {command}",
        "此前移开的训练：{path}（{count} 个文件）；查看：{command}",
    ),
    "cli_set_aside": ("Set aside as damaged: {path}", "因损坏而移开：{path}"),
    "cli_verified": ("good: {good}, damaged: {damaged}", "完好：{good}，损坏：{damaged}"),
    "cli_no_record": ("{count} (no record)", "{count}（无记录）"),
    "cli_tensors_differ": (
        "{path}: {count} tensor(s) are not what was in memory when it was saved ({names}), though the file is whole: bad "
        "memory, or a changed manifest. Resume from another checkpoint (unbroken list).",
        "{path}：有 {count} 个张量与保存时内存中的内容不同（{names}），而文件本身完整：内存故障，或封存记录被改动。请从其他检查点"
        "恢复（unbroken list）。",
    ),
    "cli_mount": ("File system: {kind}, mounted at {point}", "文件系统：{kind}，挂载于 {point}"),
    "cli_promise_folder_sync": ("names can be made durable", "文件名可以落盘"),
    "cli_promise_replaces": ("a rename replaces a file", "重命名可替换文件"),
    "cli_promise_links": ("hard links", "硬链接"),
    "cli_promise_clones": ("copies that share blocks (reflink)", "共享数据块的副本（reflink）"),
    "cli_promise_locks": ("locks", "文件锁"),
    "cli_yes": ("yes", "支持"),
    "cli_without_folder_sync": (
        "no: after a power cut a name may have its file of before",
        "不支持：断电后文件名可能指向之前的文件",
    ),
    "cli_without_replaces": (
        "no: a kill during a save may leave a name without its file",
        "不支持：保存时被终止可能导致文件名缺失",
    ),
    "cli_without_links": (
        "no: during a save latest is absent for a moment; previous has its state",
        "不支持：保存时 latest 会短暂缺失，其状态在 previous 中",
    ),
    "cli_without_clones": ("no: every copy is written out", "不支持：每个副本都要完整写出"),
    "cli_without_locks": (
        "no: make sure yourself that only one training uses this folder",
        "不支持：请自行确保只有一个训练使用该文件夹",
    ),
    "cli_not_tried": ("Nothing can be written here, so nothing was tried out.", "此处不可写，未做实际测试。"),
    "cli_mount_memory": (
        "This folder lies in memory ({kind}): all of it is gone with the power. Keep checkpoints on a disk.",
        "该文件夹位于内存中（{kind}）：断电后全部丢失。请把检查点保存在磁盘上。",
    ),
    "cli_mount_network": (
        "This may be a network file system ({kind}): its locks and syncs can mean less than they say, and other machines "
        "see changes late.",
        "这可能是网络文件系统（{kind}）：锁和落盘的保证可能弱于所声称的，其他机器看到更改会有延迟。",
    ),
    # Nothing found
    "cli_nothing": (
        "No checkpoint found. Looked for {pattern}: {found}. {cache}. {next}",
        "没有找到检查点。查找了 {pattern}：{found}。{cache}。{next}",
    ),
    "cli_found_no_folder": ("that folder does not exist", "该文件夹不存在"),
    "cli_found_empty": ("that folder is empty", "该文件夹是空的"),
    "cli_found_only": ("that folder holds only {names}", "该文件夹中只有 {names}"),
    "cli_found_unreadable": ("that folder cannot be read ({reason})", "无法读取该文件夹（{reason}）"),
    "cli_cache_there": (
        "The preprocessed data are there: {path} ({size})",
        "预处理缓存已存在：{path}（{size}）",
    ),
    "cli_cache_missing": ("There are no preprocessed data either ({path})", "也没有预处理缓存（{path}）"),
    "cli_next_elsewhere": (
        "Checkpoints lie elsewhere ({count} folder(s)); run: {command}",
        "别处有检查点（{count} 个文件夹）；请运行：{command}",
    ),
    "cli_next_training": ("To start training, run: {command}", "要开始训练，请运行：{command}"),
    "cli_next_script": (
        "Start your training script, or name another folder: unbroken list FOLDER",
        "请启动训练脚本，或指定其他文件夹：unbroken list 文件夹",
    ),
    "cli_no_file_alone": (
        "There is no {path}: {found}. {next}",
        "{path} 不存在：{found}。{next}",
    ),
    "cli_not_a_file": (
        "{path} is a folder; name one checkpoint in it. To see which there are, run: {next}",
        "{path} 是文件夹；请指定其中的一个检查点。要查看有哪些，请运行：{next}",
    ),
    "cli_no_file": (
        "There is no {path}. Its folder holds: {found}. To see them, run: {next}",
        "{path} 不存在。所在文件夹中有：{found}。要查看它们，请运行：{next}",
    ),
    # diff
    "cli_from_epoch": ("from epoch {epoch} on", "从第 {epoch} 轮起不同"),
    "cli_same_so_far": ("same as far as both go", "共有的轮次相同"),
    "cli_tensors_recorded": (
        "Tensors, by the digests recorded when they were saved: {equal} equal, {differing} different, {only_a} only in "
        "A, {only_b} only in B",
        "张量（按保存时记录的摘要比较）：{equal} 个相同，{differing} 个不同，仅 A 有 {only_a} 个，仅 B 有 {only_b} 个",
    ),
    "cli_tensors_read": (
        "Tensors, read and compared: {equal} equal, {differing} different, {only_a} only in A, {only_b} only in B",
        "张量（读取文件比较）：{equal} 个相同，{differing} 个不同，仅 A 有 {only_a} 个，仅 B 有 {only_b} 个",
    ),
    "cli_diff_identical": (
        "The training state is the same, bit for bit.",
        "训练状态逐位相同。",
    ),
    "cli_diff_differ": ("The training state differs.", "训练状态不同。"),
    # resume-point
    "cli_resume_between": (
        "The next resume takes {path} and starts epoch {next} (step {step} done, saved {timestamp}).",
        "下次恢复将使用 {path}，从第 {next} 轮开始（已完成 {step} 步，保存于 {timestamp}）。",
    ),
    "cli_resume_inside": (
        "The next resume takes {path} and goes on in epoch {next}, {batch} batches of it done (step {step} done, saved "
        "{timestamp}).",
        "下次恢复将使用 {path}，继续第 {next} 轮，该轮已完成 {batch} 批（已完成 {step} 步，保存于 {timestamp}）。",
    ),
    "cli_resume_finished": (
        "That run was ended on purpose ({reason}): a resume finds nothing left to train.",
        "该训练已主动结束（{reason}）：恢复后没有剩余的训练内容。",
    ),
    "cli_why_same": ("the same state as {name}", "与 {name} 是同一状态"),
    "cli_why_older": ("older", "较旧"),
    "cli_why_left_behind": (
        "left behind: the run went on from an older state (branch {branch})",
        "已被放弃：训练从更早的状态重新继续（分支 {branch}）",
    ),
    "cli_why_other_run": ("of another run: {run}", "属于另一个训练：{run}"),
    "cli_why_foreign": ("not a checkpoint", "不是检查点"),
    # prune
    "cli_prune_how": (
        "Say what to keep: --keep N (the newest so many), --keep-space SIZE (such as 20GB), or both.",
        "请说明要保留什么：--keep N（最新的多少个）、--keep-space 大小（如 20GB），或两者同时使用。",
    ),
    "cli_needs_yes": (
        "{count} file(s) would be deleted and nobody can be asked here: add --yes to delete them, or --dry-run to see "
        "which.",
        "将删除 {count} 个文件，但此处无法询问：要删除请加 --yes，只想查看请加 --dry-run。",
    ),
    "cli_ask_delete": ("Delete these {count} file(s), {size}? [y/N]", "删除这 {count} 个文件（{size}）？[y/N]"),
    "cli_nothing_deleted": ("Nothing was deleted.", "没有删除任何文件。"),
    "cli_space_not_reached": (
        "{size} of checkpoints stay, more than {limit}: never deleted are the newest, the one before it, the best, those marked "
        "by 'unbroken keep', and those a branch began from.",
        "仍保留 {size} 的检查点，多于 {limit}：最新、其前一份、最佳、用 unbroken keep 标记的以及分支起点永不删除。",
    ),
    "cli_nothing_to_delete": ("Nothing to delete.", "没有可删除的文件。"),
    "cli_kept": ("Kept: {names}", "保留：{names}"),
    "cli_deleted": ("Deleted {count} file(s), {size} freed.", "已删除 {count} 个文件，释放 {size}。"),
    "cli_dry_run": (
        "Would delete {count} file(s) and free {size}; nothing was deleted.",
        "将删除 {count} 个文件，释放 {size}；本次没有删除任何文件。",
    ),
    # keep
    "cli_kept_for_ever": (
        "{path} is kept for ever: no retention policy and no prune deletes it (to undo: unbroken keep --undo).",
        "{path} 已标记为永久保留：任何保留策略和清理命令都不会删除它（取消：unbroken keep --undo）。",
    ),
    "cli_not_kept": (
        "{path} is no longer marked: retention and prune may delete it.",
        "{path} 的标记已取消：保留策略和清理命令可以删除它。",
    ),
    "cli_keep_is_replaced": (
        "{path} is replaced by newer states as the run goes on, so it cannot be kept: mark a numbered checkpoint, or "
        "copy it: cp {path} {copy}",
        "{path} 会随训练被更新的状态替换，无法永久保留：请标记编号检查点，或复制一份：cp {path} {copy}",
    ),
    "cli_keep_damaged": (
        "Not marked, as it could not be resumed from: {reason}",
        "未标记，因为无法从它恢复：{reason}",
    ),
    # export
    "cli_exported": (
        "Wrote {path}: {count} tensor(s) of {file}, {size}.",
        "已写出 {path}：{file} 中的 {count} 个张量，{size}。",
    ),
    "cli_export_left_out": ("Left out, as they are no tensors: {names}", "以下内容不是张量，未导出：{names}"),
    "cli_export_exists": (
        "{path} is there already, and nothing is overwritten; choose another name.",
        "{path} 已存在，且不会覆盖任何文件；请换一个名称。",
    ),
    "cli_export_no_folder": (
        "There is no folder {folder} to write {path} to; make it first.",
        "文件夹 {folder} 不存在，无法写出 {path}；请先创建它。",
    ),
    "cli_export_needs": (
        "Writing safetensors files takes the safetensors library: pip install 'unbroken[safetensors]'",
        "写出 safetensors 文件需要 safetensors 库：pip install 'unbroken[safetensors]'",
    ),
    "cli_not_exportable": (
        "{name} ({kind}) cannot be written to a safetensors file; the format has no such tensors.",
        "{name}（{kind}）无法写入 safetensors 文件：该格式不支持这种张量。",
    ),
    "cli_export_nothing": (
        "{path} has no tensors tracked as {name}; choose another with --state. Tracked: {names}",
        "{path} 中没有名为 {name} 的张量状态；请用 --state 另选。被跟踪的有：{names}",
    ),
    # backup
    "cli_backup_inside": (
        "{destination} lies inside {folder}: a backup there would be lost with it; choose another place.",
        "{destination} 位于 {folder} 之内：备份会随它一起丢失；请换一个位置。",
    ),
    "cli_copied": ("copied and verified", "已复制并校验"),
    "cli_unchanged": ("unchanged, read again", "未变化，已重新核对"),
    "cli_left_out": ("NOT copied", "未复制"),
    "cli_moved_aside": (
        "{folder} held another run; it is now in {path}",
        "{folder} 中原有另一个训练，已移至 {path}",
    ),
    "cli_replaced": ("What was there before is now {path}", "原有的文件现在是 {path}"),
    "cli_restore_inside": (
        "{destination} lies inside {folder}: restore to a folder outside the backup.",
        "{destination} 位于备份 {folder} 之内：请恢复到备份之外的文件夹。",
    ),
    "cli_restore_ahead": (
        "{folder} is ahead of the backup (step {step}, the backup: {backup_step}), so nothing was restored. To go on "
        "from the backup all the same, resume from {newest}, or restore into another folder.",
        "{folder} 比备份更新（第 {step} 步，备份为第 {backup_step} 步），没有恢复任何文件。若仍要从备份继续，请从 {newest} 恢复"
        "训练，或恢复到另一个文件夹。",
    ),
    "cli_restored": (
        "Restored to {path}: {copied} copied ({size}), {unchanged} unchanged. To see where a resume goes on: unbroken "
        "resume-point {path}",
        "已恢复到 {path}：复制 {copied} 个（{size}），{unchanged} 个未变化。查看将从何处继续：unbroken resume-point {path}",
    ),
    "cli_backed_up": (
        "Backed up to {path}: {copied} copied ({size}), {unchanged} unchanged.",
        "已备份到 {path}：复制 {copied} 个（{size}），{unchanged} 个未变化。",
    ),
}
