"""What the tests stand on: real backends, real interpreters and a receiver, none of it loopscope's own code."""
