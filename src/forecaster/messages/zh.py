"""Every sentence of the training program in Chinese; the same keys stand in every language."""

SENTENCES: dict[str, str] = {
    # panel: files
    "data_missing": "数据文件 {path} 不存在；请用 --data 指定 CSV 或 Parquet 文件。",
    "data_not_a_file": "{path} 不是普通文件；请用 --data 指定 CSV 或 Parquet 文件。",
    "data_empty": "数据文件 {path} 是空的（0 字节）；请重新获取，或用 --data 指定其他文件。",
    "data_no_rows": "数据文件 {path} 只有表头，没有可用的数据行；请重新获取，或用 --data 指定其他文件。",
    "data_bad_gzip": "数据文件 {path} 的 gzip 内容已损坏（{reason}）；请重新获取。",
    "data_not_text": "数据文件 {path} 不是 UTF-8、UTF-16 或 GB18030 文本；请另存为 UTF-8 CSV。",
    "data_excel": (
        "数据文件 {path} 是 Excel 工作簿；请在 Excel 中另存为“CSV UTF-8”，或在 Python 中用 {code} 转换，再用 --data 指"
        "定所得的 CSV。"
    ),
    "data_feather": (
        "数据文件 {path} 是 Feather 格式；请在 Python 中用 {code} 转换，再用 --data 指定所得的 Parquet 文件。"
    ),
    "data_zip": "数据文件 {path} 是 zip 压缩包（{names}）；请先解压：{command}，再用 --data 指定其中的 CSV。",
    "data_packed": "数据文件 {path} 经过压缩；请先解压：{command}，再用 --data 指定解压所得的文件。",
    "data_parquet_in_gzip": (
        "数据文件 {path} 是用 gzip 压缩的 Parquet；请先解压：{command}，再用 --data 指定解压所得的文件。"
    ),
    "data_other_kind": (
        "数据文件 {path} 是 {kind}，不是 CSV、gzip 压缩的 CSV 或 Parquet；请转换成其中一种（例如用 pandas），再用 "
        "--data 指定。"
    ),
    "data_binary": "数据文件 {path} 是二进制文件，不是 CSV、gzip 压缩的 CSV 或 Parquet；请用 --data 指定其中一种。",
    "data_no_header": "数据文件 {path} 没有表头：前 64 KiB 内没有换行。请使用首行为列名的 CSV。",
    "data_too_large": "数据文件 {path} 对本机内存来说过大（{reason}）；请减少股票或年份。",
    "data_unreadable": "无法读取数据文件 {path}：{reason}；请检查其权限和所在磁盘。",
    "data_not_a_table": "数据文件 {path} 不是规则的表格（{reason}）；请修正它，或用 --data 指定其他文件。",
    "row_of_more_fields": (
        "第 {row} 行有 {fields} 个字段，表头只有 {count} 个：请检查该行的数字或名称中是否有逗号，或引号没有配对"
    ),
    "more_fields": "数据行的字段多于表头（{count} 个）：若数字用逗号作千位分隔符，每一段都会成为一个字段",
    "data_lines_skipped": "{path}：列名之上的 {count} 行已跳过。",
    "data_two_levels": (
        "{path} 的列名有两层，而没有一层同时包含开盘、最高、最低、收盘和成交量：{columns}。请使用每只股票每天一行的表。"
    ),
    "data_wide": ("{path} 是宽表，{stocks} 只股票各占一组列：已按每只股票每天一行读取。"),
    "data_wide_gaps": "{path}：股票当日没有行情的 {count} 处已略去。",
    "data_needs_pyarrow": "读取 Parquet（{path}）需要 pyarrow：pip install 'unbroken[forecaster]'。",
    # panel: columns
    "data_no_such_column": "{path} 中没有列 {column!r}；现有列：{present}。请用 {flag} 指定其中之一。",
    "data_ambiguous_column": "{path} 中有多列可能是 {role}：{found}；请用 {flag} 指定其一。",
    "data_lacks_column": "{path} 中找不到 {role} 列；现有列：{present}。请用 {flag} 指定。",
    "data_column_twice": "{path} 的列 {column!r} 被用于两种角色；请用 --…-column 参数另行指定。",
    "data_named_twice": "{path} 中有 {count} 列都叫 {column!r}，无法判断是哪一列；请改名或删去其余的列。",
    "data_wide_lacks": ("{path}：股票 {stock} 没有其他股票都有的列 {column!r}（{role}）；请补上该列，或去掉这只股票。"),
    "data_unnamed_column": "{path}：第 {place} 列没有列名，按其内容视为 {role} 列。",
    "data_without_stock": "{path} 没有股票列：所有行视为同一只股票（可用 {flag} 指定该列）。",
    "data_without_adjusted": (
        "{path} 没有复权收盘价：以收盘价代替。若收盘价已经复权（yfinance 默认如此），无需处理；"
        "否则拆股与分红会被当成价格涨跌，请用 {flag} 指定复权收盘价。"
    ),
    # panel: values
    "data_bad_value": (
        "{path} 第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 {value!r}，不可用；共有 {count} 行如此。请修正"
        "文件，或用 --drop-bad-rows 丢弃这些行。"
    ),
    "data_bad_date": (
        "{path} 第 {row} 行（股票 {stock}）：{value!r} 不是以年份开头的日期（如 2009-12-31）；共有 {count} 行如此。请"
        "修正文件，或用 --drop-bad-rows 丢弃这些行。"
    ),
    "data_all_bad": (
        "{path} 的每一行（共 {count} 行）都有不可用的值；第一处在第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 "
        "{value!r}。请修正文件，或用 --{column}-column 指定其他列。"
    ),
    "data_all_dates_bad": (
        "{path} 没有一行可用（共 {count} 行）；第一处在第 {row} 行（股票 {stock}）：{value!r} 不是以年份开头的日期（如 "
        "2009-12-31）。请改成这种写法，或用 --date-column 指定其他列。"
    ),
    "data_thousands": (
        "{path} 第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 {value!r}，带有千位分隔符；共有 {count} 行如此。"
        "请去掉分隔符（pandas.read_csv 可用 thousands= 读取）。"
    ),
    "data_decimal_comma": (
        "{path} 第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 {value!r}，以逗号作小数点；共有 {count} 行如此。"
        "请改用小数点（pandas.read_csv 可用 decimal=',' 读取）。"
    ),
    "data_unit": (
        "{path} 第 {row} 行（股票 {stock}，日期 {date}）：{column} 为 {value!r}，带有单位或货币符号；共有 {count} 行如"
        "此。请改成纯数字，例如把 12.5K 写成 12500。"
    ),
    "data_days_of_zone": (
        "{path}：日期带有时刻，正是 {zone} 的零点：按当地日期读取，{first} 视为 {day}（{count} 行的日期与所写的不同）。"
    ),
    "data_days_as_written": (
        "{path}：日期带有时刻（第一个是 {first}），时刻不计：按所写的日期读取（其中 {count} 天是周六或周日）。"
    ),
    "data_high_below_low": (
        "{path} 第 {row} 行（股票 {stock}，{date}）：最高价 {high:g} 低于最低价 {low:g}；共有 {count} 行如此，仍按原样"
        "使用，请检查文件。"
    ),
    "data_volume_thousands": (
        "{path} 第 {row} 行（股票 {stock}，{date}）：成交量为 {volume:g}，而所有成交量都不到一千，小数点后也都不超过三"
        "位。若小数点其实是千位分隔符，请将其去掉；否则无需处理。"
    ),
    "data_line_breaks": (
        "{path} 第 {row} 行：{column} 列的文字跨越多行；共有 {count} 行如此。若那里少了一个引号，其后直到下一个引号的各"
        "行都会被当作文字吞掉：请检查文件。"
    ),
    "data_price_jumps": (
        "{path} 第 {row} 行（股票 {stock}，{date}）：{column} 从 {before:g} 跳到 {after:g}，前后仅隔一行；共有 {count} "
        "处如此，仍按原样使用，请检查文件。"
    ),
    "data_rows_dropped": (
        "已按要求丢弃 {path} 中 {count} 行不可用的数据；第一处在第 {row} 行（股票 {stock}，日期 {date}）：{column} "
        "为 {value!r}。"
    ),
    "data_constant_column": (
        "{path} 的 {column} 列每行都是同一个值（{value}）；无从学习。请用 --{column}-column 指定其他列，或用 --data "
        "指定其他数据。"
    ),
    "data_repeated_date": (
        "{path} 第 {row} 行：股票 {stock} 在 {date} 有重复的行（共 {count} 行）；每只股票每天只能有一行。"
    ),
    "data_sorted": "{path} 中有 {count} 只股票的行未按日期排列（{stocks}）；已按日期排序。",
    # windows
    "windows_short_stocks": "已略去 {count} 只股票：行数少于一个窗口及其标签所需的 {need} 行：{stocks}。",
    "windows_none": (
        "{path} 中没有一只股票达到一个窗口及其标签所需的 {need} 行（文件共 {rows} 行）；请使用每只股票行数更多的文件："
        "训练加验证共需一只股票至少 {whole} 天的数据。"
    ),
    "windows_empty_part": (
        "以 {day} 划分时，{path} 得到 {training} 个训练窗口和 {validation} 个验证窗口；两者都至少需要 2 个。"
        "--train-end 取 {first} 至 {last} 即可满足。"
    ),
    "windows_too_few_days": (
        "以 {day} 划分时，{path} 得到 {training} 个训练窗口和 {validation} 个验证窗口；两者都至少需要 2 个，而任何划分"
        "都达不到：这需要一只股票至少 {whole} 天的数据，这里最长的只有 {longest} 天。请使用天数更多的文件。"
    ),
    "windows_constant_feature": (
        "{path} 的 {column} 列在所有训练日上得到的特征都相同；无从学习。请用 --{column}-column 指定其他列，或用 "
        "--data 指定其他数据。"
    ),
    # training
    "packages_missing": "训练程序需要 {names}：pip install 'unbroken[forecaster]'。",
    "parameters": "训练参数：{parameters}",
    "prepared": (
        "训练窗口 {training} 个（至 {train_end}），验证窗口 {validation} 个（其后），股票 {stocks} 只；目标：{target}。"
    ),
    "yardsticks": "基线（同一验证窗口上的相关系数）：持续性预测 {persistence:.4f}，岭回归 {ridge:.4f}。",
    "split_stays": "训练部分仍截止于 {day}，无论数据现在有哪些日期。",
    "split_unknown": (
        "没有记录这次训练的训练部分截止于哪一天；数据将重新划分，因此原来的验证日期可能会用于训练。若要另定，请给出 "
        "--train-end。"
    ),
    "from_scratch": "从第 1 轮开始：新的训练。",
    "complete_already": "该次训练已经完成（{epoch} 轮）；若要训练更多轮，请给出 --epochs。",
    "epoch_line": (
        "第 {epoch}/{count} 轮  训练损失 {train_loss:.5f}  验证损失 {val_loss:.5f}  相关系数 {correlation:.6f}  最佳 "
        "{best:.6f}（第 {best_epoch} 轮）"
    ),
    "no_such_device": "--device {device}：本机不可用；请用 --device auto 或 cpu。",
    "result": (
        "验证集相关系数：网络最后一轮 {last:.4f}，最佳 {best:.4f}（第 {best_epoch} 轮，按同一批验证窗口选出）；岭回归 "
        "{ridge:.4f}；持续性预测 {persistence:.4f}。"
    ),
    "written": "已写入 {results} 和 {picture}。",
    "log_unwritable": "无法写入日志 {path}：{reason}。请在有写权限的文件夹中运行。",
    "log_failed": "写入日志 {path} 失败（{reason}）；训练继续，但不再记录日志。",
    "unexpected": (
        "程序因意外错误结束；检查点保持最后一次保存的状态。排除原因后，运行 python resume_training.py 即可继续。"
    ),
    "output_unwritable": (
        "无法写入 {path}：{reason}。训练本身已保存；排除该问题后，运行 python resume_training.py 即可写出。"
    ),
    # resuming
    "nothing_found": (
        "没有可恢复的检查点：在 {folder} 中查找 *.pth，结果：{found}。{cache}请先运行：python Training.py。检查点在别"
        "处？请用 --checkpoint-dir FOLDER 或 --resume FILE。"
    ),
    "folder_is_file": "{path} 是文件而不是文件夹；请把它移走，或用 --checkpoint-dir 指定其他文件夹。",
    "folder_unreadable": "无法查看 {path}：{reason}；请检查其权限和所在磁盘。",
    "found_no_folder": "该文件夹不存在",
    "found_nothing": "空文件夹",
    "found_others": "只有：{names}",
    "found_archive": "只有移到一旁的旧训练（{names}）；可用 --resume {example} 恢复",
    "found_cache": "预处理缓存 {path} 存在，将被复用。",
    "found_no_cache": "也没有预处理缓存 {path}。",
    "other_task": (
        "{path} 中的训练使用 {name} = {old}，而本次要求 {new}：其历史无法这样延续。恢复时请去掉 {flag}，或从头开始："
        "python Training.py {flag} {new}。"
    ),
    # flags
    "about_train": "从头训练股票预测模型；任何中断都可以精确恢复。",
    "about_resume": "自动找到最新的检查点并继续训练。未给出的参数沿用该次训练的参数。",
    "usage": "用法：",
    "error": "{program}：错误：{message}（参见 --help）",
    "group_task": "任务与数据",
    "group_training": "训练",
    "group_saving": "保存与恢复",
    "group_other": "其他",
    "help_help": "显示本帮助并退出",
    "help_data": "日线面板数据，CSV、CSV.gz 或 Parquet（默认：自带的五只美股，2000-2013）",
    "help_target": (
        "volatility：未来 20 天已实现波动率的对数；return：次日之后 25 天均价相对次日开盘价的百分比（默认：volatility）"
    ),
    "help_train_end": "训练部分的最后一天（自带数据默认：2009-12-31）",
    "help_train_fraction": "训练部分占全部日期的比例（其他数据默认：0.75）",
    "help_column": "{role} 列的列名（默认：自动猜测）",
    "help_drop_bad_rows": "丢弃含缺失值或不可能值的行并报告数量，而不是拒绝该文件",
    "help_epochs": "训练轮数（默认：{default}）",
    "help_batch_size": "每步的窗口数（默认：{default}）",
    "help_lr": "初始学习率；恢复时自该处起生效（默认：{default:g}）",
    "help_weight_decay": "AdamW 的权重衰减；恢复时自该处起生效（默认：{default:g}）",
    "help_seed": "所有随机性的种子；恢复的训练沿用原有种子（默认：{default}）",
    "help_device": "auto、cpu、cuda、cuda:N 或 mps（默认：auto，有 GPU 则用）",
    "help_threads": "torch 线程数；改变它会改变结果的末位（默认：{default}）",
    "help_num_workers": "数据加载进程数；不影响结果（默认：{default}）",
    "help_amp": "混合精度",
    "help_checkpoint_dir": "检查点文件夹（默认：{default}）",
    "help_checkpoint_freq": "每 N 轮另存一个检查点（默认：{default}）",
    "help_checkpoint_every_steps": "另外每 N 步更新一次最新检查点",
    "help_checkpoint_every": "另外每隔这段时间更新一次最新检查点，如 90s、10min、2h，或 off（默认：{default}）",
    "help_checkpoint_freq_steps": "另外每 N 步保存一个独立的检查点 checkpoint_step_N.pth",
    "help_keep": "保留最新的 N 个编号检查点（默认：全部，除非给出其他规则）",
    "help_keep_best": "保留最好的 N 轮的编号检查点",
    "help_keep_every": "每 N 轮保留一个",
    "help_keep_every_steps": "每 N 步保留一个",
    "help_stop_after": "时间预算，如 2h：到时保存并以退出码 75 停止",
    "help_resume": "从该检查点恢复训练；再次运行同一命令则从其后的最新进度继续",
    "help_allow_changed_data": "即使数据文件的内容已改变也继续恢复",
    "help_list": "列出所有检查点并退出",
    "help_lang": "语言（默认：按系统区域设置）",
    "bad_integer": "{value!r} 不是 {low} 到 {high} 的整数",
    "bad_number": "{value!r} 不是符合要求的数（{range}）",
    "bad_duration": "{value!r} 不是大于零的时长（如 90s、10min、2h）",
    "bad_day": "{value!r} 不是形如 2009-12-31 的日期",
    "bad_device": "{value!r} 不是 auto、cpu、cuda、cuda:N 或 mps",
    "bad_choice": "{value!r} 不在可选值中：{choices}",
    "unknown_flags": "未知参数：{flags}",
    "needs_value": "参数 {flag}：缺少值",
    "both_splits": "--train-end 与 --train-fraction 不能同时给出",
    # compare
    "about_compare": "用多个种子训练，并打印验证集相关系数表。",
    "help_seeds": "种子个数（默认：{default}）",
    "compare_forecast": "预测方法（{seeds} 个种子）",
    "compare_range": "最低 – 最高",
    "compare_last": "网络，最后一轮（{epochs}）",
    "compare_best": "网络，最佳轮",
    "compare_epochs": "最佳轮次：{epochs}。",
    # picture
    "picture_fonts": (
        "Noto Sans CJK SC, Source Han Sans SC, Source Han Sans CN, WenQuanYi Micro Hei, WenQuanYi Zen Hei, "
        "Microsoft YaHei, SimHei, PingFang SC, Hiragino Sans GB, Arial Unicode MS, AR PL UMing CN"
    ),
    "picture_loss": "损失",
    "picture_training": "训练",
    "picture_validation": "验证",
    "picture_epoch": "轮",
    "picture_correlation": "验证集相关系数",
    "picture_network": "网络",
    "picture_ridge": "岭回归",
    "picture_persistence": "持续性预测",
    "picture_resumed": "恢复训练",
    "picture_learning_rate": "学习率",
    "picture_run": "训练 {run}",
    "picture_truth": "真实值",
    "picture_prediction": "预测值",
    "picture_against": "预测值与真实值（最后一轮）",
    "picture_by_day": "所有股票按日均值",
    "picture_volatility": "波动率的对数",
    "picture_return": "收益率，%",
}
