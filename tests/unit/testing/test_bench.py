"""The benchmark measures what it says it measures."""

from tests.bench.in_memory_dynamodb import CASES, measure


def test_every_case_stores_what_it_counts() -> None:
    """
    Each transaction of a case puts one item in each of its two tables, and the speeds are of that.
    """
    for case in CASES:
        made = []

        def make(case=case, made=made):
            made.append(case.make())
            return made[-1]

        watched = type(case)(case.name, make, case.tables)
        speed = measure(watched, transactions=60, rounds=2)
        assert speed.wall > 0
        assert speed.cpu > 0
        assert len(made) == 2
        for database in made:
            for name in case.tables:
                assert database.observer().scan(TableName=name, Select="COUNT")["Count"] == 60
