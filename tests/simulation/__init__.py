"""A world that misbehaves: the product's own code on a simulated clock, with faults drawn from a seed.

    scheduler   one baton, simulated clocks, crashes: `Scheduler`, and the `SimulatedRuntime` of one process
    primitives  flags, channels, locks and parts that hand the baton on
    chance      what is drawn from a seed: one stream per purpose, and the kinds of faults (`FAULTS`)
    coverage    how often each fault and each mark was met
    settings    what differs from seed to seed
    dynamo      what goes wrong between the product and DynamoDB; `feed` what goes wrong in the feed
    broker      the bus; `index` the search index; `consumers` those who read the bus
    writers     those who append, with every kind of append
    weather     what goes wrong by itself: crashes, outages, splits of shards
    ledger      what has truly happened, and the `Violation` of whoever breaks a promise
    checkers    the invariants
    world       all of it put together; one run
    planted     deliberate bugs, each of which a simulation must find
    shrink      a failing run made smaller
    command     `python -m tests.simulation`

`docs/explanation/simulation.md` tells how to add a fault, an invariant and a planted bug.
"""
