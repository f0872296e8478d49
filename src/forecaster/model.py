"""The network: fully connected, Conv1d, Conv2d and BiLSTM branches over one window, joined beside a linear path."""

import torch
from torch import Tensor, nn

from forecaster.windows import FEATURES, WINDOW


class BranchedForecaster(nn.Module):
    """One number from each window: (n × 60 × 6) → (n).

    The linear path starts at zero weights and is what ridge regression would fit; the branches add what is not linear.
    Neighbouring windows share 59 of 60 days, so a sample of thousands holds few independent ones and a network this
    small still learns it by heart. Noise on the inputs and heavy dropout are what keeps it from doing so: noise of
    deviation s acts on the linear path as a ridge penalty of s² per sample.
    """

    def __init__(self, *, width: int = 16, dropout: float = 0.7, noise: float = 0.2) -> None:
        super().__init__()
        features, inputs = len(FEATURES), WINDOW * len(FEATURES)
        self.noise = noise
        self.linear = nn.Linear(inputs, 1)
        nn.init.zeros_(self.linear.weight)
        self.dense = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(inputs, width), nn.ReLU())
        self.temporal = nn.Sequential(
            nn.Conv1d(features, width, kernel_size=5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(width, width, kernel_size=5, stride=2, padding=2),
            nn.ReLU(),
        )
        self.planar = nn.Sequential(
            nn.Conv2d(1, width, kernel_size=(5, features), stride=(2, 1), padding=(2, 0)),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=(5, 1), stride=(2, 1), padding=(2, 0)),
            nn.ReLU(),
        )
        self.recurrent = nn.LSTM(features, width, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(5 * width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Predictions of the standardised label."""
        if self.training and self.noise:
            windows = windows + self.noise * torch.randn_like(windows)
        _, (last_states, _) = self.recurrent(windows)
        joined = torch.cat(
            [
                self.dense(windows),
                self.temporal(windows.transpose(1, 2)).mean(dim=2),
                self.planar(windows.unsqueeze(1)).mean(dim=(2, 3)),
                last_states[0],
                last_states[1],
            ],
            dim=1,
        )
        prediction: Tensor = self.linear(windows.flatten(1)) + self.head(joined)
        return prediction.squeeze(1)
