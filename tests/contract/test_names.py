"""The names that were promised, spelled here once more: whoever changes one of them breaks a promise."""

import math

from unbroken import contract


def test_the_keys_of_a_checkpoint() -> None:
    states = ("model_state_dict", "optimizer_state_dict", "scheduler_state_dict")
    histories = ("train_losses", "val_losses", "aucs")
    assert ("epoch", *states, *histories, "best_corr", "best_epoch", "timestamp") == contract.KEYS
    assert (-math.inf, 0) == (contract.NO_BEST, contract.NO_BEST_EPOCH)
    assert contract.TIMESTAMP_FORMAT == "%Y-%m-%d %H:%M:%S"


def test_the_lines_of_a_log() -> None:
    assert contract.RESUMED.format(epoch=16) == "恢复训练，从 epoch 16 开始"
    best = contract.BEST.format(value=0.7345118, epoch=12)
    label = contract.CORRELATION
    assert contract.BEST_SO_FAR.format(label=label, best=best) == "当前最佳相关系数: 0.734512 (epoch 12)"
    assert contract.BEST_SO_FAR.format(label=label, best=contract.NO_BEST_YET) == "当前最佳相关系数: 暂无"
    assert contract.INSIDE_EPOCH.format(epoch=8, batch=412, batches=980) == "第 8 轮已完成 412/980 批"
    assert contract.REPLAYED.format(steps=57) == "已重放 57 步，与中断前逐位一致"
