"""Random numbers for the samples of a batch."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """The samples of each batch that are worked on here: part `index` of `count` equal parts."""

    index: int = 0
    count: int = 1

    def rows(self, samples: int) -> slice:
        """Where `samples` samples of this part stand in the whole batch."""
        return slice(self.index * samples, (self.index + 1) * samples)


WHOLE = Share()


@dataclass(frozen=True)
class Draws:
    """Random numbers that do not depend on how a batch is shared out.

    Those of the whole batch are drawn everywhere, and the share's are kept.
    """

    generator: torch.Generator
    share: Share = WHOLE

    @property
    def device(self) -> torch.device:
        """Where the numbers are drawn."""
        return self.generator.device

    def uniform(self, samples: int, *shape: int) -> Tensor:
        """In [0, 1), for `samples` samples of this share: (samples, *shape)."""
        whole = (samples * self.share.count, *shape)
        drawn = torch.rand(whole, generator=self.generator, device=self.device)
        return drawn[self.share.rows(samples)]

    def poisson(self, rate: float, samples: int, *shape: int) -> Tensor:
        """Whole numbers of mean `rate`: (samples, *shape) float.

        Apple's GPUs cannot draw them, so there the CPU does from a drawn seed.
        """
        whole = torch.full((samples * self.share.count, *shape), float(rate))
        generator = self.generator
        if self.device.type == "mps":
            seed = torch.randint(2**31, (1,), generator=generator, device=self.device)
            generator = torch.Generator().manual_seed(int(seed))
        drawn = torch.poisson(whole.to(generator.device), generator=generator)
        return drawn[self.share.rows(samples)].to(self.device)

    def permutation(self, n: int) -> Tensor:
        """0 to n - 1 in random order, the same for all shares: (n,)."""
        return torch.randperm(n, generator=self.generator, device=self.device)
