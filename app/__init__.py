"""The HTTP API: routes → services → fleet.store and task_queue."""
