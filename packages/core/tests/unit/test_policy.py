import json

from hypothesis import given
from hypothesis import strategies as st

from autocron.policy import DEFAULT_POLICY, Exponential, Policy, policy_from_text, policy_to_text

SECONDS = st.floats(0, 10**9)
NAMES = st.lists(st.text(), max_size=3).map(tuple)
POLICIES = st.builds(
    Policy,
    backoff=st.one_of(
        st.builds(Exponential, SECONDS, SECONDS, SECONDS, SECONDS),
        st.lists(SECONDS, min_size=1).map(tuple),
    ),
    retry_on=st.none() | NAMES,
    give_up_on=NAMES,
    timeout=st.none() | SECONDS,
    on_crash=st.sampled_from(["retry", "fail"]),
)


@given(POLICIES)
def test_a_policy_comes_back_as_it_was(policy):
    """Whatever it says, its text says the same."""
    assert policy_from_text(policy_to_text(policy)) == policy


def test_only_what_is_unusual_is_stored():
    """Most jobs have no policy of their own, and pay nothing for it."""
    assert policy_to_text(DEFAULT_POLICY) is None
    assert json.loads(policy_to_text(Policy(timeout=5.0))) == {"timeout": 5.0}
