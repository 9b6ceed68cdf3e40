"""The Faust app: each raw event once, with what changed and its pictures, into `changecast.changes.*`."""
