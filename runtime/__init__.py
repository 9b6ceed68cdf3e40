"""What producers, streams and sinks stand on: Kafka connections, HTTP to providers, the clock, logging, metrics."""
