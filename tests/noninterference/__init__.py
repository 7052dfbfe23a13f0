"""Programs compared with and without loopscope: the application sees no difference."""
