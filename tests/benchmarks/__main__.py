"""``make bench``: mailgate beside Postfix and plain aiosmtpd, on this machine, now; then verification; then listings.

Each part can be run alone: ``tests.benchmarks.throughput``, ``tests.benchmarks.verification`` and
``tests.benchmarks.listings``. ``BENCH_PAIRS=0``, ``BENCH_VERIFICATIONS=0`` and ``BENCH_SIZES=`` leave one out.
"""

from tests.benchmarks import listings, throughput, verification


def main() -> None:
    """Print all tables."""
    if throughput.PAIRS:
        throughput.run()
    if verification.RUNS:
        verification.run()
    if listings.SIZES:
        listings.run()


if __name__ == "__main__":
    main()
