"""A small training on GPUs, one for each process; every process leaves what it ends with in ``ends-RANK.pth``.

The only argument is how it is to be: ``plain``, ``amp`` (float16 and a GradScaler) or ``channels_last``.
"""

import os
import sys
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

import unbroken

EPOCHS, BATCH, PICTURES = 3, 24, 480


def main(kind: str) -> None:
    rank, device = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    torch.cuda.set_device(device)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    if "RANK" in os.environ:
        dist.init_process_group("nccl")
    torch.manual_seed(1 + rank)
    layout = torch.channels_last if kind == "channels_last" else torch.contiguous_format
    dice = torch.Generator().manual_seed(1)
    pictures = torch.randn(PICTURES, 3, 16, 16, generator=dice)
    loader = DataLoader(
        TensorDataset(pictures, pictures.mean((1, 2, 3)) > 0),
        batch_size=BATCH,
        shuffle=True,
        num_workers=2,
        pin_memory=True,
    )
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.LazyLinear(1),
    ).cuda()
    network(torch.zeros(2, 3, 16, 16, device="cuda"))
    network = network.to(memory_format=layout)
    model = (
        DistributedDataParallel(network, device_ids=[device], bucket_cap_mb=0.01) if dist.is_initialized() else network
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=kind == "amp", init_scale=2.0**24)  # some steps are skipped

    run = unbroken.Run("checkpoints", every_steps=5)
    run.track(model=network, optimizer=optimizer, scaler=scaler)
    for _ in run.epochs(EPOCHS):
        for inputs, targets in run.batches(loader):
            inputs = inputs.to("cuda", memory_format=layout, non_blocking=True)
            with torch.autocast("cuda", torch.float16) if kind == "amp" else nullcontext():
                outputs = model(inputs).squeeze(1)
                loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets.cuda().float())
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            run.average(len(inputs), loss=loss)
            if rank == 0:
                print(f"step {run.step}", flush=True)
    ends = {
        "weights": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "stream": torch.cuda.get_rng_state(),
        "history": dict(run.history),
        "layout": [weight.is_contiguous(memory_format=layout) for weight in network.parameters() if weight.dim() == 4],
    }
    torch.save(ends, f"ends-{rank}.pth")
    run.close()
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
