"""The delivery side: which subscriptions want an event, and how it reaches their webhooks and Slack channels.

An event's way: `feed` reads it, `index` and `match` find who wants it, an `endpoint` queues it, `webhook` or `slack` sends it,
`verdict` and `retry` decide what an answer means, `shard` settles its offset.
"""
