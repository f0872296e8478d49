"""What a checkpoint knows of an epoch's loops is the same whether the epoch was interrupted or not."""

from unbroken.course.passes import EpochPasses


def test_a_loop_that_has_given_all_is_done_whether_or_not_a_resume_opens_it() -> None:
    facts = {"promise": "loader_exact", "length": 3}
    whole = EpochPasses()
    lead, beside = whole.open(facts), whole.open(facts)
    whole.take_lead(lead)
    beside.given = 3  # its iterator was asked for no fourth batch yet
    saved = whole.record(batch=2, order=7)
    beside.exhausted = True  # it is thrown away

    resumed = EpochPasses(saved, same_epoch=True)
    resumed.take_lead(resumed.open(facts))
    assert resumed.record(batch=3, order=8) == whole.record(batch=3, order=8)
