"""Every sentence of the training program, in English and in Chinese."""

import os
from typing import Literal

Language = Literal["zh", "en"]


def language() -> Language:
    """The user's language, chosen as the library chooses it: ``UNBROKEN_LANG``, then the locale, else "
    "English."""
    for variable in ("UNBROKEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def text(key: str, **values: object) -> str:
    """The sentence ``key`` in the user's language, with its values filled in."""
    return text_in(language(), key, **values)


def text_in(lang: Language, key: str, **values: object) -> str:
    """As ``text``, in a language that was chosen already."""
    english, chinese = SENTENCES[key]
    return _printable((chinese if lang == "zh" else english).format(**values))


def shortened(value: object, length: int = 60) -> str:
    """``value`` as text, cut to ``length``: what a file holds may be of any size."""
    said = str(value)
    return said if len(said) <= length else said[: length - 1] + "…"


def _printable(line: str) -> str:
    """``line`` with what could break it or move the cursor spelled out: names and values come from files."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


SENTENCES: dict[str, tuple[str, str]] = {
    # panel: files
    "data_missing": (
        "There is no data file {path}; give a CSV or Parquet file with --data.",
        "数据文件 {path} 不存在；请用 --data 指定 CSV 或 Parquet 文件。",
    ),
    "data_not_a_file": (
        "{path} is not a regular file; give a CSV or Parquet file with --data.",
        "{path} 不是普通文件；请用 --data 指定 CSV 或 Parquet 文件。",
    ),
    "data_empty": (
        "The data file {path} is empty (0 bytes); get it anew, or give another with --data.",
        "数据文件 {path} 是空的（0 字节）；请重新获取，或用 --data 指定其他文件。",
    ),
    "data_no_rows": (
        "The data file {path} has a header and no usable row; get it anew, or give another with --data.",
        "数据文件 {path} 只有表头，没有可用的数据行；请重新获取，或用 --data 指定其他文件。",
    ),
    "data_bad_gzip": (
        "The data file {path} is damaged gzip ({reason}); get it anew.",
        "数据文件 {path} 的 gzip 内容已损坏（{reason}）；请重新获取。",
    ),
    "data_not_text": (
        "The data file {path} is not text in UTF-8 or GB18030; save it as UTF-8 CSV.",
        "数据文件 {path} 不是 UTF-8 或 GB18030 文本；请另存为 UTF-8 CSV。",
    ),
    "data_binary": (
        "The data file {path} is binary, neither CSV, gzipped CSV nor Parquet; give one of these with --data.",
        "数据文件 {path} 是二进制文件，不是 CSV、gzip 压缩的 CSV 或 Parquet；请用 --data 指定其中一种。",
    ),
    "data_no_header": (
        "The data file {path} has no header: no line ends within its first 64 KiB. Give a CSV with the column names in "
        "its first line.",
        "数据文件 {path} 没有表头：前 64 KiB 内没有换行。请使用首行为列名的 CSV。",
    ),
    "data_too_large": (
        "The data file {path} is too large for this machine's memory ({reason}); give fewer stocks or years.",
        "数据文件 {path} 对本机内存来说过大（{reason}）；请减少股票或年份。",
    ),
    "data_unreadable": (
        "The data file {path} can't be read: {reason}; check its permissions and its disk.",
        "无法读取数据文件 {path}：{reason}；请检查其权限和所在磁盘。",
    ),
    "data_not_a_table": (
        "The data file {path} is not a table ({reason}); mend it, or give another with --data.",
        "数据文件 {path} 不是规则的表格（{reason}）；请修正它，或用 --data 指定其他文件。",
    ),
    "more_fields": (
        "its rows have more fields than its header ({count})",
        "数据行的字段多于表头（{count} 个）",
    ),
    "data_needs_pyarrow": (
        "Reading Parquet ({path}) needs pyarrow: pip install pyarrow.",
        "读取 Parquet（{path}）需要 pyarrow：pip install pyarrow。",
    ),
    # panel: columns
    "data_no_such_column": (
        "{path} has no column {column!r}; it has: {present}. Name one of these with {flag}.",
        "{path} 中没有列 {column!r}；现有列：{present}。请用 {flag} 指定其中之一。",
    ),
    "data_ambiguous_column": (
        "Several columns of {path} may be the {role}: {found}; name one with {flag}.",
        "{path} 中有多列可能是 {role}：{found}；请用 {flag} 指定其一。",
    ),
    "data_lacks_column": (
        "No column of {path} looks like the {role}; it has: {present}. Name one with {flag}.",
        "{path} 中找不到 {role} 列；现有列：{present}。请用 {flag} 指定。",
    ),
    "data_column_twice": (
        "Column {column!r} of {path} was given two roles; name another with the --…-column flags.",
        "{path} 的列 {column!r} 被用于两种角色；请用 --…-column 参数另行指定。",
    ),
    "data_without_stock": (
        "{path} has no stock column: all rows are taken as one stock ({flag} names the column).",
        "{path} 没有股票列：所有行视为同一只股票（可用 {flag} 指定该列）。",
    ),
    "data_without_adjusted": (
        "{path} has no adjusted close: the close stands in for it, splits and dividends included ({flag} names it).",
        "{path} 没有复权收盘价：以收盘价代替，其中含拆股与分红的影响（可用 {flag} 指定该列）。",
    ),
    # panel: values
    "data_bad_value": (
        "{path}, row {row} (stock {stock}, date {date}): {column} is {value!r}, which is no usable value; "
        "{count} row(s) "
        "are like this. Mend the file, or drop such rows with --drop-bad-rows.",
        "{path} 第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 {value!r}，不可用；共有 {count} "
        "行如此。"
        "请修正文件，或用 --drop-bad-rows 丢弃这些行。",
    ),
    "data_bad_date": (
        "{path}, row {row} (stock {stock}): {value!r} is no date with the year first, like 2009-12-31; {count} "
        "row(s) are "
        "like this. Mend the file, or drop such rows with --drop-bad-rows.",
        "{path} 第 {row} 行（股票 {stock}）：{value!r} 不是以年份开头的日期（如 2009-12-31）；共有 {count} 行如此。"
        "请修正文件，或用 --drop-bad-rows 丢弃这些行。",
    ),
    "data_rows_dropped": (
        "Dropped {count} row(s) of {path} with unusable values, as asked; the first is row {row} (stock "
        "{stock}, date "
        "{date}): {column} is {value!r}.",
        "已按要求丢弃 {path} 中 {count} 行不可用的数据；第一处在第 {row} 行（股票 {stock}，日期 {date}）："
        "{column} 为 "
        "{value!r}。",
    ),
    "data_constant_column": (
        "Column {column} of {path} has the same value in every row ({value}); there is nothing to learn from it. Name "
        "another column with --{column}-column, or give other data with --data.",
        "{path} 的 {column} 列每行都是同一个值（{value}）；无从学习。请用 --{column}-column 指定其他列，或用 --data "
        "指定其他数据。",
    ),
    "data_repeated_date": (
        "{path}, row {row}: stock {stock} has a second row for {date} ({count} such row(s)); keep one row "
        "per stock and "
        "day.",
        "{path} 第 {row} 行：股票 {stock} 在 {date} 有重复的行（共 {count} 行）；每只股票每天只能有一行。",
    ),
    "data_sorted": (
        "The rows of {count} stock(s) in {path} were not in the order of their dates ({stocks}); sorted by date.",
        "{path} 中有 {count} 只股票的行未按日期排列（{stocks}）；已按日期排序。",
    ),
    # windows
    "windows_short_stocks": (
        "{count} stock(s) left out, having fewer than the {need} rows that one window and its label need: {stocks}.",
        "已略去 {count} 只股票：行数少于一个窗口及其标签所需的 {need} 行：{stocks}。",
    ),
    "windows_none": (
        "No stock in {path} has the {need} rows that one window and its label need (the file has {rows} rows in all); "
        "give a file with more rows per stock.",
        "{path} 中没有一只股票达到一个窗口及其标签所需的 {need} 行（文件共 {rows} 行）；请使用每只股票行数更多的文件。",
    ),
    "windows_empty_part": (
        "Split after {day}, {path} gives {training} training and {validation} validation windows; both need "
        "at least 2. "
        "Choose another day with --train-end or another --train-fraction.",
        "以 {day} 划分时，{path} 得到 {training} 个训练窗口和 {validation} 个验证窗口；两者都至少需要 2 个。"
        "请用 "
        "--train-end 或 --train-fraction 另选划分。",
    ),
    "windows_constant_feature": (
        "What is made of column {column} of {path} is the same on every training day; there is nothing to "
        "learn from it. Name another column with --{column}-column, or give other data with --data.",
        "{path} 的 {column} 列在所有训练日上得到的特征都相同；无从学习。请用 --{column}-column 指定其他列，或用 --data "
        "指定其他数据。",
    ),
    # training
    "parameters": ("Parameters: {parameters}", "训练参数：{parameters}"),
    "prepared": (
        "{training} training windows to {train_end}, {validation} validation windows after it, {stocks} "
        "stocks; target: "
        "{target}.",
        "训练窗口 {training} 个（至 {train_end}），验证窗口 {validation} 个（其后），股票 {stocks} 只；"
        "目标：{target}。",
    ),
    "yardsticks": (
        "Yardsticks (correlation on the same validation windows): persistence {persistence:.4f}, ridge "
        "regression "
        "{ridge:.4f}.",
        "参照（同一验证窗口上的相关系数）：持续性预测 {persistence:.4f}，岭回归 {ridge:.4f}。",
    ),
    "from_scratch": ("Epoch 1 begins: a new run.", "从第 1 轮开始：新的训练。"),
    "complete_already": (
        "The run was complete already ({epoch} epochs); for more of them give --epochs.",
        "该次训练已经完成（{epoch} 轮）；若要继续增加轮数，请给出 --epochs。",
    ),
    "epoch_line": (
        "epoch {epoch}/{count}  train loss {train_loss:.5f}  val loss {val_loss:.5f}  correlation "
        "{correlation:.6f}  best "
        "{best:.6f} (epoch {best_epoch})",
        "第 {epoch}/{count} 轮  训练损失 {train_loss:.5f}  验证损失 {val_loss:.5f}  相关系数 "
        "{correlation:.6f}  最佳 "
        "{best:.6f}（第 {best_epoch} 轮）",
    ),
    "no_such_device": (
        "--device {device}: not available here; use --device auto or cpu.",
        "--device {device}：本机不可用；请用 --device auto 或 cpu。",
    ),
    "result": (
        "Correlation on validation: network {last:.4f} after the last epoch, {best:.4f} at its best (epoch "
        "{best_epoch}); "
        "ridge {ridge:.4f}; persistence {persistence:.4f}.",
        "验证集相关系数：网络最后一轮 {last:.4f}，最佳 {best:.4f}（第 {best_epoch} 轮）；岭回归 {ridge:.4f}；"
        "持续性预测 {persistence:.4f}。",
    ),
    "written": ("Wrote {results} and {picture}.", "已写入 {results} 和 {picture}。"),
    "log_unwritable": (
        "The log {path} can't be written: {reason}. Run in a folder you may write to.",
        "无法写入日志 {path}：{reason}。请在有写权限的文件夹中运行。",
    ),
    "log_failed": (
        "Writing the log {path} failed ({reason}); training goes on without it.",
        "写入日志 {path} 失败（{reason}）；训练继续，但不再记录日志。",
    ),
    "unexpected": (
        "An unexpected error ended the program; the checkpoints are as the last save left them.",
        "程序因意外错误结束；检查点保持最后一次保存的状态。",
    ),
    "output_unwritable": (
        "{path} can't be written: {reason}. The training itself is saved; mend that, then write it with: python "
        "resume_training.py",
        "无法写入 {path}：{reason}。训练本身已保存；排除该问题后，运行 python resume_training.py 即可写出。",
    ),
    # resuming
    "nothing_found": (
        "No checkpoint to resume from: looked for *.pth in {folder} and found {found}. {cache} Start with: "
        "python "
        "Training.py. Checkpoints elsewhere? Give --checkpoint-dir FOLDER or --resume FILE.",
        "没有可恢复的检查点：在 {folder} 中查找 *.pth，结果：{found}。{cache}请先运行：python Training.py。"
        "检查点在别处？"
        "请用 --checkpoint-dir 文件夹 或 --resume 文件。",
    ),
    "folder_is_file": (
        "{path} is a file, not a folder; move it away, or give another folder with --checkpoint-dir.",
        "{path} 是文件而不是文件夹；请把它移走，或用 --checkpoint-dir 指定其他文件夹。",
    ),
    "folder_unreadable": (
        "Can't look into {path}: {reason}; check its permissions and its disk.",
        "无法查看 {path}：{reason}；请检查其权限和所在磁盘。",
    ),
    "found_no_folder": ("no such folder", "该文件夹不存在"),
    "found_nothing": ("nothing", "空文件夹"),
    "found_others": ("only: {names}", "只有：{names}"),
    "found_archive": (
        "only runs moved aside ({names}); resume one with --resume {example}",
        "只有移到一旁的旧训练（{names}）；可用 --resume {example} 恢复",
    ),
    "found_cache": (
        "The preprocessed data {path} are there and will be reused.",
        "预处理缓存 {path} 存在，将被复用。",
    ),
    "found_no_cache": ("There is no preprocessed data {path} either.", "也没有预处理缓存 {path}。"),
    "other_task": (
        "The run in {path} learns with {name} = {old}, and {new} was asked for: its history can't go on "
        "with that. Leave "
        "{flag} out to resume, or start afresh: python Training.py {flag} {new}.",
        "{path} 中的训练使用 {name} = {old}，而本次要求 {new}：其历史无法这样延续。恢复时请去掉 {flag}，"
        "或从头开始："
        "python Training.py {flag} {new}。",
    ),
    # flags
    "about_train": (
        "Train a forecaster of stocks from the start; any interruption can be resumed exactly.",
        "从头训练股票预测模型；任何中断都可以精确恢复。",
    ),
    "about_resume": (
        "Find the newest checkpoint and go on with the training. Flags not given are as the run was started.",
        "自动找到最新的检查点并继续训练。未给出的参数沿用该次训练的参数。",
    ),
    "usage": ("usage: ", "用法："),
    "error": ("{program}: error: {message} (see --help)", "{program}：错误：{message}（参见 --help）"),
    "group_task": ("what is learned, and from what", "学什么、用什么数据"),
    "group_training": ("training", "训练"),
    "group_saving": ("saving and resuming", "保存与恢复"),
    "group_other": ("other", "其他"),
    "help_help": ("show this help and exit", "显示本帮助并退出"),
    "help_data": (
        "CSV, CSV.gz or Parquet panel of daily bars (default: the bundled five US stocks, 2000-2013)",
        "日线面板数据，CSV、CSV.gz 或 Parquet（默认：自带的五只美股，2000-2013）",
    ),
    "help_target": (
        "volatility: log realised volatility of the next 20 days; return: mean price of the 25 days after "
        "next relative "
        "to the next open, in percent (default: volatility)",
        "volatility：未来 20 天已实现波动率的对数；return：次日之后 25 天均价相对次日开盘价的百分比（默认："
        "volatility）",
    ),
    "help_train_end": (
        "last day of the training part (default for the bundled data: 2009-12-31)",
        "训练部分的最后一天（自带数据默认：2009-12-31）",
    ),
    "help_train_fraction": (
        "fraction of the days that is the training part (default for other data: 0.75)",
        "训练部分占全部日期的比例（其他数据默认：0.75）",
    ),
    "help_column": ("name of the column with the {role} (default: guessed)", "{role} 所在的列名（默认：自动猜测）"),
    "help_drop_bad_rows": (
        "leave out rows with missing or impossible values, and say how many, instead of refusing the file",
        "丢弃含缺失值或不可能值的行并报告数量，而不是拒绝该文件",
    ),
    "help_epochs": ("epochs to train (default: {default})", "训练轮数（默认：{default}）"),
    "help_batch_size": ("windows per step (default: {default})", "每步的窗口数（默认：{default}）"),
    "help_lr": (
        "learning rate at the start; on a resume: from there on (default: {default:g})",
        "初始学习率；恢复时自该处起生效（默认：{default:g}）",
    ),
    "help_weight_decay": (
        "weight decay of AdamW; on a resume: from there on (default: {default:g})",
        "AdamW 的权重衰减；恢复时自该处起生效（默认：{default:g}）",
    ),
    "help_seed": (
        "seed of everything random; a resumed run keeps its own (default: {default})",
        "所有随机性的种子；恢复的训练沿用原有种子（默认：{default}）",
    ),
    "help_device": (
        "auto, cpu, cuda, cuda:N or mps (default: auto, a GPU if there is one)",
        "auto、cpu、cuda、cuda:N 或 mps（默认：auto，有 GPU 则用）",
    ),
    "help_threads": (
        "threads of torch; another number gives other last bits (default: {default})",
        "torch 线程数；改变它会改变结果的末位（默认：{default}）",
    ),
    "help_num_workers": (
        "loader processes; they change nothing in the result (default: {default})",
        "数据加载进程数；不影响结果（默认：{default}）",
    ),
    "help_amp": ("mixed precision", "混合精度"),
    "help_checkpoint_dir": ("folder of the checkpoints (default: {default})", "检查点文件夹（默认：{default}）"),
    "help_checkpoint_freq": (
        "keep a checkpoint of its own every N epochs (default: {default})",
        "每 N 轮另存一个检查点（默认：{default}）",
    ),
    "help_checkpoint_every_steps": (
        "also renew the latest checkpoint every N steps",
        "另外每 N 步更新一次最新检查点",
    ),
    "help_checkpoint_every": (
        "also renew the latest checkpoint after this time, e.g. 90s, 10min, 2h, or off (default: {default})",
        "另外每隔这段时间更新一次最新检查点，如 90s、10min、2h，或 off（默认：{default}）",
    ),
    "help_keep": (
        "how many of the numbered checkpoints to keep (default: all)",
        "保留多少个按轮编号的检查点（默认：全部）",
    ),
    "help_stop_after": (
        "time budget, e.g. 2h: then save and stop with exit code 75",
        "时间预算，如 2h：到时保存并以退出码 75 停止",
    ),
    "help_resume": (
        "resume from this checkpoint; the same command again goes on with what came of it",
        "从该检查点恢复训练；再次运行同一命令则从其后的进度继续",
    ),
    "help_allow_changed_data": (
        "resume although the data file's content has changed",
        "即使数据文件的内容已改变也继续恢复",
    ),
    "help_list": ("list the checkpoints and exit", "列出所有检查点并退出"),
    "help_lang": ("language: zh or en (default: by the locale)", "语言：zh 或 en（默认：按系统区域设置）"),
    "bad_integer": ("{value!r} is not a whole number from {low} to {high}", "{value!r} 不是 {low} 到 {high} 的整数"),
    "bad_number": ("{value!r} is not a number {range}", "{value!r} 不是 {range} 的数"),
    "bad_duration": (
        "{value!r} is not a duration above zero like 90s, 10min or 2h",
        "{value!r} 不是大于零的时长（如 90s、10min、2h）",
    ),
    "bad_day": ("{value!r} is not a day like 2009-12-31", "{value!r} 不是形如 2009-12-31 的日期"),
    "bad_device": ("{value!r} is not auto, cpu, cuda, cuda:N or mps", "{value!r} 不是 auto、cpu、cuda、cuda:N 或 mps"),
    "bad_choice": ("{value!r} is not one of: {choices}", "{value!r} 不在可选值中：{choices}"),
    "unknown_flags": ("unknown: {flags}", "未知参数：{flags}"),
    "needs_value": ("argument {flag}: needs a value", "参数 {flag}：缺少值"),
    "both_splits": (
        "--train-end and --train-fraction can't both be given",
        "--train-end 与 --train-fraction 不能同时给出",
    ),
    # compare
    "about_compare": (
        "Train over several seeds and print the table of correlations on validation.",
        "用多个种子训练，并打印验证集相关系数表。",
    ),
    "help_seeds": ("how many seeds (default: {default})", "种子个数（默认：{default}）"),
    "compare_forecast": ("forecast ({seeds} seeds)", "预测方法（{seeds} 个种子）"),
    "compare_range": ("lowest – highest", "最低 – 最高"),
    "compare_last": ("network, last epoch ({epochs})", "网络，最后一轮（{epochs}）"),
    "compare_best": ("network, best epoch", "网络，最佳轮"),
    "compare_epochs": ("Best epochs: {epochs}.", "最佳轮次：{epochs}。"),
    # picture
    "picture_loss": ("loss", "损失"),
    "picture_training": ("training", "训练"),
    "picture_validation": ("validation", "验证"),
    "picture_epoch": ("epoch", "轮"),
    "picture_correlation": ("correlation on validation", "验证集相关系数"),
    "picture_network": ("network", "网络"),
    "picture_ridge": ("ridge regression", "岭回归"),
    "picture_persistence": ("persistence", "持续性预测"),
    "picture_resumed": ("resumed", "恢复训练"),
    "picture_truth": ("truth", "真实值"),
    "picture_prediction": ("prediction", "预测值"),
    "picture_against": ("prediction against truth, after the last epoch", "预测对真实（最后一轮）"),
    "picture_by_day": ("mean of all stocks by day", "所有股票按日均值"),
    "picture_volatility": ("log volatility", "波动率的对数"),
    "picture_return": ("return, %", "收益率，%"),
}
