"""What kubelets and metrics servers answer, well-meant and hostile."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from clusters.kube.metrics_api import (
    MOST_PODS,
    Counter,
    amount,
    parse_line,
    parse_resource_metrics,
)
from tests.unit.metrics.kubelets import resource_text


def test_a_kubelet_of_1_20_is_read() -> None:
    text = resource_text(
        812.25, 1_700_000_000.5, 512_000_000,
        {("kube-system", "dns-1"): {"dns": (3.5, 20_000_000), "side": (0.5, 1_000_000)}},
    )  # fmt: skip
    found = parse_resource_metrics(text.splitlines())
    assert found.cpu == Counter(812.25, 1_700_000_000.5)
    assert found.memory == 512_000_000
    pod = found.pods["kube-system", "dns-1"]
    assert {name: c.seconds for name, c in pod.cpu.items()} == {"dns": 3.5, "side": 0.5}
    assert pod.working_set == 21_000_000


def test_a_pods_own_figures_win_over_those_of_its_containers() -> None:
    labels = 'namespace="a",pod="p"'
    found = parse_resource_metrics(
        [
            f'container_memory_working_set_bytes{{container="c",{labels}}} 10',
            f"pod_memory_working_set_bytes{{{labels}}} 17 1700000000000",
            f"pod_cpu_usage_seconds_total{{{labels}}} 4",
        ]
    )
    pod = found.pods["a", "p"]
    assert (pod.working_set, pod.cpu[""]) == (17, Counter(4, None))


def test_labels_are_unescaped_and_may_hold_anything() -> None:
    line = parse_line('a{x="1,}\\"\\\\\\n{",y = "é" , } 2.5e3 1700000000123')
    assert line is not None
    assert (line.labels, line.value, line.at) == (
        {"x": '1,}"\\\n{', "y": "é"}, 2500.0, 1_700_000_000.123,
    )  # fmt: skip


def test_what_is_no_sample_is_left_out() -> None:
    for text in (
        "", "# TYPE a counter", "a", "a NaN", "a +Inf", "a -1", "a 1_0", 'a{x="1} 2', 'a{x=1} 2',
        'a{x="1"y="2"} 2', "a 1 2 3", "a 1 soon", "{} 1", 'a{x="1",x="1"} 1',
        "a{" + ",".join(f'x{n}="1"' for n in range(30)) + "} 1",
        "a 1e999", "a " + "9" * 60,
    ):  # fmt: skip
        assert parse_line(text) is None, text


def test_names_that_no_pod_can_have_are_left_out() -> None:
    for namespace, pod in (
        ("<script>", "p"), ("a", "../../etc"), ("", "p"), ("a", ""), ("A", "p"), ("x" * 64, "p"),
        ("a", "p" * 254), ("a\\n", "p"),
    ):  # fmt: skip
        line = f'pod_memory_working_set_bytes{{namespace="{namespace}",pod="{pod}"}} 1'
        assert not parse_resource_metrics([line]).pods, (namespace, pod)


def test_a_kubelet_that_invents_pods_and_containers_is_cut_short() -> None:
    pods = (
        f'pod_memory_working_set_bytes{{namespace="a",pod="p{n}"}} 1' for n in range(MOST_PODS * 2)
    )
    assert len(parse_resource_metrics(pods).pods) == MOST_PODS
    containers = (
        f'container_cpu_usage_seconds_total{{namespace="a",pod="p",container="c{n}"}} 1'
        for n in range(10_000)
    )
    assert len(parse_resource_metrics(containers).pods["a", "p"].cpu) <= 100


@given(st.text(max_size=300))
@example('a{x="' + "\\" * 999)
@example("node_cpu_usage_seconds_total 1e400 1")
def test_no_line_breaks_the_parser(text: str) -> None:
    found = parse_line(text)
    assert found is None or (math.isfinite(found.value) and found.value >= 0)


NAMES = ("node_cpu_usage_seconds_total", "node_memory_working_set_bytes",
         "pod_cpu_usage_seconds_total", "container_memory_working_set_bytes")  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.text(max_size=80),
            st.builds(
                '{}{{namespace="{}",pod="{}",container="{}"}} {} {}'.format,
                st.sampled_from(NAMES), st.text(max_size=5), st.text(max_size=5),
                st.text(max_size=5), st.floats(), st.integers(-(2**70), 2**70),
            ),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_no_answer_breaks_the_reader(lines: list[str]) -> None:
    found = parse_resource_metrics(lines)
    for pod in found.pods.values():
        assert pod.working_set is None or math.isfinite(pod.working_set)
    assert found.memory is None or found.memory >= 0


@given(
    st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), st.text(max_size=20), max_size=5),
    st.floats(min_value=0, allow_infinity=False, allow_nan=False),
)
def test_what_is_written_by_the_books_is_read_back(labels: dict[str, str], value: float) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    pairs = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    line = parse_line(f"name{{{pairs}}} {value!r}")
    assert line is not None
    assert (line.labels, line.value) == (labels, value)


def test_quantities_of_metrics_servers() -> None:
    assert amount("156340n") == 156340e-9
    assert amount("1500u") == 1500e-6
    assert amount("250m") == 0.25
    assert amount("20Mi") == 20 * 2**20
    assert amount("2") == 2
    assert amount("12e3") == 12000
    for wrong in ("", "-1", "1Zi", "NaN", "1 Mi", None, 5, "9" * 40):
        assert amount(wrong) is None
