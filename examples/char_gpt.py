"""A small transformer that learns to write generated text letter by letter, in the manner of the well-known ones.

No epochs: it is trained for a number of steps, with gradient accumulation and a learning rate that warms up.
"""

import argparse
import math
import random

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import unbroken

LENGTH, WIDTH, HEADS, LAYERS = 32, 48, 4, 2
ACCUMULATE = 2


def write_text(sentences: int) -> str:
    """Sentences of a tiny grammar."""
    dice = random.Random(7)
    who, does, what = (
        "the cat|a crow|my old horse|the sea",
        "eats|watches|forgets|sings to",
        "the moon|bread|a small stone",
    )
    words = [part.split("|") for part in (who, does, what)]
    return " ".join(f"{' '.join(dice.choice(part) for part in words)}." for _ in range(sentences))


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Every stretch of the text, and the same one letter further."""

    def __init__(self, text: str) -> None:
        self.letters = sorted(set(text))
        self.codes = torch.tensor([self.letters.index(letter) for letter in text])

    def __len__(self) -> int:
        return len(self.codes) - LENGTH - 1

    def __getitem__(self, start: int) -> tuple[Tensor, Tensor]:
        stretch = self.codes[start : start + LENGTH + 1]
        return stretch[:-1], stretch[1:]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mixed = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        parts = self.mixed(self.before(x)).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(
            *parts, dropout_p=0.1 if self.training else 0.0, is_causal=True
        )
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.mlp(self.after(x))


class GPT(nn.Module):
    def __init__(self, letters: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(letters, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, letters, bias=False)
        self.head.weight = self.token.weight  # tied

    def forward(self, x: Tensor) -> Tensor:
        x = self.token(x) + self.place(torch.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(x)))


@torch.no_grad()
def write_on(model: GPT, data: Windows, count: int) -> str:
    model.eval()
    codes = data.codes[:1]
    for _ in range(count):
        logits = model(codes[-LENGTH:][None])[0, -1]
        codes = torch.cat([codes, torch.multinomial(logits.softmax(0), 1)])
    model.train()
    return "".join(data.letters[code] for code in codes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--sentences", type=int, default=400)
    options = parser.parse_args()

    torch.manual_seed(1)
    data = Windows(write_text(options.sentences))
    loader = DataLoader(data, batch_size=32, shuffle=True, drop_last=True)
    model = GPT(len(data.letters))
    decayed = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": rest, "weight_decay": 0.0}], lr=3e-3)
    updates = options.steps // ACCUMULATE
    warm_up = updates // 20 + 1

    def rate(update: int) -> float:
        return min((update + 1) / warm_up, 0.55 + 0.45 * math.cos(math.pi * min(update / updates, 1)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

    run = unbroken.Run("checkpoints", every_steps=100, config=vars(options))  # (1)
    run.track(model=model, optimizer=optimizer, scheduler=scheduler)
    for x, y in run.batches(loader, steps=options.steps):  # (2) and (3) in one
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        (loss / ACCUMULATE).backward()
        if run.step % ACCUMULATE == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
        run.average(train_losses=loss)
        if run.step % 100 == 0:
            print(f"step {run.step}: loss {loss.item():.4f}: {write_on(model, data, 60)}")
    run.close()


if __name__ == "__main__":
    main()
