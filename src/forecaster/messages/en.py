"""Every sentence of the training program in English; the same keys stand in every language."""

SENTENCES: dict[str, str] = {
    # panel: files
    "data_missing": "There is no data file {path}; give a CSV or Parquet file with --data.",
    "data_not_a_file": "{path} is not a regular file; give a CSV or Parquet file with --data.",
    "data_empty": "The data file {path} is empty (0 bytes); get it again, or give another with --data.",
    "data_no_rows": "The data file {path} has a header and no usable row; get it again, or give another with --data.",
    "data_bad_gzip": "The data file {path} is damaged gzip ({reason}); get it again.",
    "data_not_text": "The data file {path} is not text in UTF-8, UTF-16 or GB18030; save it as UTF-8 CSV.",
    "data_excel": (
        "The data file {path} is an Excel workbook; save it there as “CSV UTF-8”, or convert it in Python with {code}, "
        "and give the CSV with --data."
    ),
    "data_feather": (
        "The data file {path} is Feather; convert it in Python with {code}, and give the Parquet file with --data."
    ),
    "data_zip": "The data file {path} is a zip archive ({names}); unpack it: {command}, and give the CSV with --data.",
    "data_packed": "The data file {path} is compressed; decompress it: {command}, and give the result with --data.",
    "data_parquet_in_gzip": (
        "The data file {path} is Parquet compressed with gzip; decompress it: {command}, and give the result with "
        "--data."
    ),
    "data_other_kind": (
        "The data file {path} is {kind}, not CSV, gzipped CSV or Parquet; convert it to one of these, for example with "
        "pandas, and give that with --data."
    ),
    "data_binary": (
        "The data file {path} is binary, neither CSV, gzipped CSV nor Parquet; give one of these with --data."
    ),
    "data_no_header": (
        "The data file {path} has no header: no line ends within its first 64 KiB. Give a CSV with the column names "
        "in its first line."
    ),
    "data_too_large": (
        "The data file {path} is too large for this machine's memory ({reason}); give fewer stocks or years."
    ),
    "data_unreadable": "The data file {path} can't be read: {reason}; check its permissions and its disk.",
    "data_not_a_table": "The data file {path} is not a table ({reason}); fix it, or give another with --data.",
    "row_of_more_fields": (
        "row {row} has {fields:|field|fields}, its header {count}: look there for a comma inside a number or a name, "
        "or a quote that is not closed"
    ),
    "more_fields": (
        "its rows have more fields than its header ({count}): a number with commas as thousands separators is split "
        "into several fields"
    ),
    "data_lines_skipped": "{path}: {count:|line|lines} above the column names skipped.",
    "data_two_levels": (
        "The columns of {path} have names in two levels, and neither of them has open, high, low, close and volume: "
        "{columns}. Give a table with one row per stock and day."
    ),
    "data_wide": (
        "{path} has a group of columns for each of {stocks:|stock|stocks}: read as one row per stock and day."
    ),
    "data_wide_gaps": "{path}: left out {count:|place|places} where a stock has no bar on a day.",
    "data_needs_pyarrow": "Reading Parquet ({path}) needs pyarrow: pip install 'unbroken[forecaster]'.",
    # panel: columns
    "data_no_such_column": "{path} has no column {column!r}; it has: {present}. Name one of these with {flag}.",
    "data_ambiguous_column": "Several columns of {path} may be the {role}: {found}; name one with {flag}.",
    "data_lacks_column": "No column of {path} looks like the {role}; it has: {present}. Name one with {flag}.",
    "data_column_twice": "Column {column!r} of {path} was given two roles; name another with the --…-column flags.",
    "data_named_twice": (
        "{path} has {count:|column|columns} named {column!r}; which one is meant can't be told. Rename or remove the "
        "others."
    ),
    "data_wide_lacks": (
        "{path}: stock {stock} has no column {column!r} ({role}), which others have. Add it, or leave the stock out."
    ),
    "data_unnamed_column": "{path}: column {place}, which has no name, is taken as the {role} by what it holds.",
    "data_without_stock": "{path} has no stock column: all rows are taken as one stock ({flag} names the column).",
    "data_without_adjusted": (
        "{path} has no adjusted close: the close stands in for it. Nothing to do if the close is adjusted already (as "
        "yfinance's is by default); else splits and dividends look like price moves: name the adjusted one with {flag}."
    ),
    # panel: values
    "data_bad_value": (
        "{path}, row {row} (stock {stock}, date {date}): {column} is {value!r}, which is no usable value; "
        "{count:|row is|rows are} like this. Fix the file, or drop such rows with --drop-bad-rows."
    ),
    "data_bad_date": (
        "{path}, row {row} (stock {stock}): {value!r} is no date with the year first, like 2009-12-31; "
        "{count:|row is|rows are} like this. Fix the file, or drop such rows with --drop-bad-rows."
    ),
    "data_all_bad": (
        "Every row of {path} ({count}) has an unusable value; the first is row {row} (stock {stock}, date {date}): "
        "{column} is {value!r}. Fix the file, or name another column with --{column}-column."
    ),
    "data_all_dates_bad": (
        "No row of {path} ({count}) is usable; in the first, row {row} (stock {stock}), {value!r} is no date with the "
        "year first, like 2009-12-31. Write the dates like that, or name another column with --date-column."
    ),
    "data_thousands": (
        "{path}, row {row} (stock {stock}, date {date}): {column} is {value!r}, a number with thousands separators; "
        "{count:|row is|rows are} like this. Write numbers without them (pandas.read_csv reads these with thousands=)."
    ),
    "data_decimal_comma": (
        "{path}, row {row} (stock {stock}, date {date}): {column} is {value!r}, a number with a decimal comma; "
        "{count:|row is|rows are} like this. Write numbers with a decimal point (pandas.read_csv reads these with "
        "decimal=',')."
    ),
    "data_unit": (
        "{path}, row {row} (stock {stock}, date {date}): {column} is {value!r}, a number with a unit or a currency; "
        "{count:|row is|rows are} like this. Write plain numbers, like 12500 for 12.5K."
    ),
    "data_days_of_zone": (
        "{path}: the dates have a time of day, which is midnight in {zone}: taken as the days there, {first} as {day} "
        "({count:|row is|rows are} of another day than written)."
    ),
    "data_days_as_written": (
        "{path}: the dates have a time of day (the first is {first}), which is left out: taken as the days that are "
        "written ({count:|of them is a Saturday or Sunday|of them are Saturdays or Sundays})."
    ),
    "data_high_below_low": (
        "{path}, row {row} (stock {stock}, {date}): the high, {high:g}, is below the low, {low:g}; "
        "{count:|row is|rows are} like this. They are used as they are: check the file."
    ),
    "data_volume_thousands": (
        "{path}, row {row} (stock {stock}, {date}): the volume is {volume:g}, and none of them reaches a thousand or "
        "has a fourth digit after the point. If the point separates thousands, write numbers without it; otherwise "
        "there is nothing to do."
    ),
    "data_line_breaks": (
        "{path}, row {row}: a text in column {column} goes over several lines; {count:|row is|rows are} like this. If "
        "a quote was left open there, it has swallowed the rows up to the next one: check the file."
    ),
    "data_price_jumps": (
        "{path}, row {row} (stock {stock}, {date}): {column} jumps from {before:g} to {after:g} from one bar to the "
        "next; {count:|such jump|such jumps}. They are used as they are: check the file."
    ),
    "data_rows_dropped": (
        "Dropped {count:|row|rows} of {path} with unusable values, as asked; the first is row {row} (stock {stock}, "
        "date {date}): {column} is {value!r}."
    ),
    "data_constant_column": (
        "Column {column} of {path} has the same value in every row ({value}); there is nothing to learn from it. "
        "Name another column with --{column}-column, or give other data with --data."
    ),
    "data_repeated_date": (
        "{path}, row {row}: stock {stock} has a second row for {date} ({count:|such row|such rows}); keep one row per "
        "stock and day."
    ),
    "data_sorted": (
        "The rows of {count:|stock|stocks} in {path} were not in the order of their dates ({stocks}); sorted by date."
    ),
    # windows
    "windows_short_stocks": (
        "{count:|stock|stocks} left out, having fewer than the {need:|row|rows} that one window and its label need: "
        "{stocks}."
    ),
    "windows_none": (
        "No stock in {path} has the {need:|row|rows} that one window and its label need (the file has {rows:|row|rows} "
        "in all); give a file with more rows per stock: training and validation need {whole:|day|days} of one stock."
    ),
    "windows_empty_part": (
        "Split after {day}, {path} gives {training} training and {validation} validation windows; both need at least "
        "2. With --train-end from {first} to {last} they have that."
    ),
    "windows_too_few_days": (
        "Split after {day}, {path} gives {training} training and {validation} validation windows; both need at least "
        "2, and no other split gives them: that takes {whole:|day|days} of one stock, and the longest here has "
        "{longest}. Give a file with more days."
    ),
    "windows_constant_feature": (
        "What is computed from column {column} of {path} is the same on every training day; there is nothing to learn "
        "from it. Name another column with --{column}-column, or give other data with --data."
    ),
    # training
    "packages_missing": "The training program needs {names}: pip install 'unbroken[forecaster]'.",
    "parameters": "Parameters: {parameters}",
    "prepared": (
        "{training} training windows to {train_end}, {validation} validation windows after it, {stocks:|stock|stocks}; "
        "target: {target}."
    ),
    "yardsticks": (
        "Baselines (correlation on the same validation windows): persistence {persistence:.4f}, ridge regression "
        "{ridge:.4f}."
    ),
    "split_stays": "The training part still ends on {day}, whatever days the data have by now.",
    "split_unknown": (
        "It isn't recorded on which day this run's training part ended; the data are split anew, so that former "
        "validation days may be trained on. To have it elsewhere, give --train-end."
    ),
    "from_scratch": "Epoch 1 begins: a new run.",
    "complete_already": "The run was complete already ({epoch:|epoch|epochs}); for more of them give --epochs.",
    "epoch_line": (
        "epoch {epoch}/{count}  train loss {train_loss:.5f}  val loss {val_loss:.5f}  correlation {correlation:.6f}  "
        "best {best:.6f} (epoch {best_epoch})"
    ),
    "no_such_device": "--device {device}: not available here; use --device auto or cpu.",
    "result": (
        "Correlation on validation: network {last:.4f} after the last epoch, {best:.4f} at its best (epoch "
        "{best_epoch}, chosen by these same windows); ridge {ridge:.4f}; persistence {persistence:.4f}."
    ),
    "written": "Wrote {results} and {picture}.",
    "log_unwritable": "The log {path} can't be written: {reason}. Run in a folder you may write to.",
    "log_failed": "Writing the log {path} failed ({reason}); training goes on without it.",
    "unexpected": (
        "An unexpected error ended the program; the checkpoints are as the last save left them. Once the cause is "
        "fixed, go on with: python resume_training.py"
    ),
    "output_unwritable": (
        "{path} can't be written: {reason}. The training itself is saved; fix that, then write it with: python "
        "resume_training.py"
    ),
    # resuming
    "nothing_found": (
        "No checkpoint to resume from: looked for *.pth in {folder} and found {found}. {cache} Start with: python "
        "Training.py. Checkpoints elsewhere? Give --checkpoint-dir FOLDER or --resume FILE."
    ),
    "folder_is_file": "{path} is a file, not a folder; move it away, or give another folder with --checkpoint-dir.",
    "folder_unreadable": "Can't look into {path}: {reason}; check its permissions and its disk.",
    "found_no_folder": "no such folder",
    "found_nothing": "nothing",
    "found_others": "only: {names}",
    "found_archive": "only runs moved aside ({names}); resume one with --resume {example}",
    "found_cache": "The preprocessed data {path} are there and will be reused.",
    "found_no_cache": "There is no preprocessed data {path} either.",
    "other_task": (
        "The run in {path} learns with {name} = {old}, and {new} was asked for: its history can't go on with that. "
        "Leave {flag} out to resume, or start afresh: python Training.py {flag} {new}."
    ),
    # flags
    "about_train": "Train a stock forecaster from the start; any interruption can be resumed exactly.",
    "about_resume": (
        "Find the newest checkpoint and go on with the training. Flags that are not given keep the values the run was "
        "started with."
    ),
    "usage": "usage: ",
    "error": "{program}: error: {message} (see --help)",
    "group_task": "what is learned, and from what",
    "group_training": "training",
    "group_saving": "saving and resuming",
    "group_other": "other",
    "help_help": "show this help and exit",
    "help_data": "CSV, CSV.gz or Parquet panel of daily bars (default: the bundled five US stocks, 2000-2013)",
    "help_target": (
        "volatility: log realised volatility of the next 20 days; return: mean price of the 25 days after the next, "
        "relative to the next day's open, in percent (default: volatility)"
    ),
    "help_train_end": "last day of the training part (default for the bundled data: 2009-12-31)",
    "help_train_fraction": "fraction of the days that is the training part (default for other data: 0.75)",
    "help_column": "name of the {role} column (default: guessed)",
    "help_drop_bad_rows": (
        "leave out rows with missing or impossible values, and say how many, instead of refusing the file"
    ),
    "help_epochs": "epochs to train (default: {default})",
    "help_batch_size": "windows per step (default: {default})",
    "help_lr": "learning rate at the start; on a resume: from there on (default: {default:g})",
    "help_weight_decay": "weight decay of AdamW; on a resume: from there on (default: {default:g})",
    "help_seed": "seed of everything random; a resumed run keeps its own (default: {default})",
    "help_device": "auto, cpu, cuda, cuda:N or mps (default: auto, a GPU if there is one)",
    "help_threads": "threads of torch; another number gives other last bits (default: {default})",
    "help_num_workers": "loader processes; they change nothing in the result (default: {default})",
    "help_amp": "mixed precision",
    "help_checkpoint_dir": "folder of the checkpoints (default: {default})",
    "help_checkpoint_freq": "keep a checkpoint of its own every N epochs (default: {default})",
    "help_checkpoint_every_steps": "also renew the latest checkpoint every N steps",
    "help_checkpoint_every": (
        "also renew the latest checkpoint after this time, e.g. 90s, 10min, 2h, or off (default: {default})"
    ),
    "help_checkpoint_freq_steps": "also keep a checkpoint of its own, checkpoint_step_N.pth, every N steps",
    "help_keep": "keep the newest N numbered checkpoints (default: all, unless another rule is given)",
    "help_keep_best": "keep those of the N best epochs",
    "help_keep_every": "keep one of every N epochs",
    "help_keep_every_steps": "keep one of every N steps",
    "help_stop_after": "time budget, e.g. 2h: then save and stop with exit code 75",
    "help_resume": "resume from this checkpoint; the same command again goes on from where that got to",
    "help_allow_changed_data": "resume although the data file's content has changed",
    "help_list": "list the checkpoints and exit",
    "help_lang": "language (default: by the locale)",
    "bad_integer": "{value!r} is not a whole number from {low} to {high}",
    "bad_number": "{value!r} is not a number {range}",
    "bad_duration": "{value!r} is not a duration above zero like 90s, 10min or 2h",
    "bad_day": "{value!r} is not a day like 2009-12-31",
    "bad_device": "{value!r} is not auto, cpu, cuda, cuda:N or mps",
    "bad_choice": "{value!r} is not one of: {choices}",
    "unknown_flags": "unknown: {flags}",
    "needs_value": "argument {flag}: needs a value",
    "both_splits": "--train-end and --train-fraction can't both be given",
    # compare
    "about_compare": "Train over several seeds and print the table of correlations on validation.",
    "help_seeds": "how many seeds (default: {default})",
    "compare_forecast": "forecast ({seeds:|seed|seeds})",
    "compare_range": "lowest – highest",
    "compare_last": "network, last epoch ({epochs})",
    "compare_best": "network, best epoch",
    "compare_epochs": "Best epochs: {epochs}.",
    # picture
    "picture_fonts": "DejaVu Sans",
    "picture_loss": "loss",
    "picture_training": "training",
    "picture_validation": "validation",
    "picture_epoch": "epoch",
    "picture_correlation": "correlation on validation",
    "picture_network": "network",
    "picture_ridge": "ridge regression",
    "picture_persistence": "persistence",
    "picture_resumed": "resumed",
    "picture_learning_rate": "learning rate",
    "picture_run": "run {run}",
    "picture_truth": "truth",
    "picture_prediction": "prediction",
    "picture_against": "prediction against truth, after the last epoch",
    "picture_by_day": "mean of all stocks by day",
    "picture_volatility": "log volatility",
    "picture_return": "return, %",
}
