"""A JetStream client on nats-py, shared by the services' chassis and the auditor."""
