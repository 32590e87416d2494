"""A world that misbehaves: the product's own code on a simulated clock, with faults drawn from a seed.

    scheduler   one baton, simulated clocks, crashes: `Scheduler`, and the `SimulatedRuntime` of one process
    primitives  flags, channels, locks and parts that hand the baton on
    chance      what is drawn from a seed: one stream per purpose, and the kinds of faults (`FAULTS`)
    coverage    how often each fault and each mark was met
    settings    what differs from seed to seed
    dynamo      the way between the product and DynamoDB
    broker      the bus; `index` the search index; `consumers` those who read the bus
    writers     those who append, with every kind of append
    visitors    those who use the store beside them: `guests` says which a seed has; `sight` what must be seen
                `readers`, `timelines`, `walkers`, `followers`, `modellers`; `clerks`, `reservers`, `services`,
                `importers`; `requests` and `folding` are theirs
    weather     what goes wrong by itself: crashes, outages, splits of shards
    generations tables that are made anew, or restored
    ledger      what has truly happened, and the `Violation` of whoever breaks a promise
    content     what a message and a document must look like
    repeats     who was told that the bus has an event, and copies
    checkers    the invariants; `bounds` those of what is held in memory
    world       all of it put together; one run
    fleet       the invariants of workers and leases; `trials` what is tried in the calm
    standing    what is tried in the calm with one fault left on for good
    operators   what operators do meanwhile
    looking     looks before and after methods of the product
    planted     deliberate bugs, each of which a simulation must find: `planted_delivery`, `planted_reads`, `bugs`
    shrink      a failing run made smaller
    command     `python -m tests.simulation`

`docs/explanation/simulation.md` tells how to add a fault, an invariant and a planted bug.
"""
