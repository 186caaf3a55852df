"""The projection as every consumer of a stream runs it: what nobody foresaw is found, set aside and passed.

`projection.project` knows outages, conflicts, poison and what the store refuses. Anything else that stops it is an
error of ours in some record: halving the batch finds that record, which is quarantined with its bytes like any poison.
Raising would hold up its shard for days and heal nothing. Pure but for its ports.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from pipeline.errors import BatchUnfinished, Outage
from pipeline.fault import fault
from pipeline.gathering import StreamRecord, Tally
from pipeline.policy import Policy
from pipeline.ports import Quarantine, Quarantined, SuppressionStore
from pipeline.projection import Each, project


class Projected(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        tallies: Counts of each part that was finished: of the whole batch, unless an error of ours parted it.
        faults: Records set aside for such an error, by what it was.
        outage: What stopped it; None if nothing did.
        undone: Index of the first record that is not done; None if all are.
    """

    tallies: list[Tally] = msgspec.field(default_factory=list)
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    outage: Outage | None = None
    undone: int | None = None


class Projector(msgspec.Struct, frozen=True, kw_only=True):
    """The projection with what it works on.

    Attributes:
        store: The suppression table that senders ask.
        also: Further ones that get the same facts; see `projection.project`.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        each: How items are saved; see `projection.project`.
    """

    store: SuppressionStore
    also: Sequence[SuppressionStore] = ()
    quarantine: Quarantine
    policy: Policy
    each: Each = map

    def project(self, batch: Sequence[StreamRecord]) -> Projected:
        """Project a batch up to the first outage, in ever smaller parts where an error of ours stops one."""
        done = Projected()
        parts = [(0, len(batch))]
        while parts:
            start, end = parts.pop()
            try:
                whole = self._project_part(batch[start:end], done)
            except Outage as outage:
                done.outage = outage
                done.undone = start + (outage.first if isinstance(outage, BatchUnfinished) else 0)
                break
            if not whole:
                middle = (start + end) // 2
                parts += [(middle, end), (start, middle)]
        return done

    def _project_part(self, part: Sequence[StreamRecord], done: Projected) -> bool:
        """Project a part, or set its only record aside; return whether it is done, or else to be halved."""
        try:
            done.tallies.append(
                project(
                    part,
                    store=self.store,
                    also=self.also,
                    quarantine=self.quarantine,
                    policy=self.policy,
                    each=self.each,
                )
            )
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - poison of a kind that nobody foresaw must not block its shard
            if len(part) > 1:
                return False
            why = fault(error)
            self.quarantine.put(Quarantined(payload=part[0].payload, reason=why, position=part[0].position))
            done.faults[why] += 1
        return True
