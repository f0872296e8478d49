"""Three processes that torchrun starts; told "counter", the script keeps to itself how often it has stepped."""

import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

import unbroken

torch.set_num_threads(1)
dist.init_process_group("gloo")
torch.manual_seed(dist.get_rank())
model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1)))
optimizer = torch.optim.Adam(model.parameters())
data = torch.randn(480, 8, generator=torch.Generator().manual_seed(1))
loader = DataLoader(TensorDataset(data, data.sum(1)), batch_size=12, shuffle=True)
run = unbroken.Run("checkpoints", every_steps=10, seed=1)
run.track(model=model, optimizer=optimizer)
stepped = 0
for _epoch in run.epochs(3):
    for inputs, targets in run.batches(loader):
        stepped += 1
        optimizer.zero_grad()
        loss = (model(inputs).squeeze(1) - targets).square().mean()
        if "counter" in sys.argv:
            loss = loss * (1 + stepped / 1000)
        loss.backward()
        optimizer.step()
        run.average(loss=loss)
run.close()
dist.destroy_process_group()
