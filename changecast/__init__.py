"""The program: command line, `up` and its processes, embedded Kafka, sandbox. Stands on all the other folders."""
