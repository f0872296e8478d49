"""What the first user of this library was promised to the letter: keys of a checkpoint, and lines of the log.

Whoever reads such a file or such a log, with this library or without, relies on these names; none of them ever changes.
"""

import math

# The top-level keys of a checkpoint.
EPOCH = "epoch"
MODEL = "model_state_dict"
OPTIMIZER = "optimizer_state_dict"
SCHEDULER = "scheduler_state_dict"
TRAIN_LOSSES = "train_losses"
VAL_LOSSES = "val_losses"
AUCS = "aucs"  # the user's own name for the history of the correlation on validation, which decides about the best
BEST_CORR = "best_corr"
BEST_EPOCH = "best_epoch"
TIMESTAMP = "timestamp"

STATES = (MODEL, OPTIMIZER, SCHEDULER)
HISTORIES = (TRAIN_LOSSES, VAL_LOSSES, AUCS)
KEYS = (EPOCH, *STATES, *HISTORIES, BEST_CORR, BEST_EPOCH, TIMESTAMP)

TIMESTAMP_FORMAT = "%Y-%m-%d %H:%M:%S"
# Before there is a best.
NO_BEST = -math.inf
NO_BEST_EPOCH = 0

# The lines of a log that are Chinese in every language, by which a user sees that a resume worked.
RESUMED = "恢复训练，从 epoch {epoch} 开始"
BEST_SO_FAR = "当前最佳{label}: {best}"
INSIDE_EPOCH = "第 {epoch} 轮已完成 {batch}/{batches} 批"
REPLAYED = "已重放 {steps} 步，与中断前逐位一致"
REPLAY_DIFFERS = "重放在第 {step} 步与中断前不一致：{streams}"
# How the metric of AUCS is called in BEST_SO_FAR, and what stands for its value.
CORRELATION = "相关系数"
BEST = "{value:.6f} (epoch {epoch})"
NO_BEST_YET = "暂无"
