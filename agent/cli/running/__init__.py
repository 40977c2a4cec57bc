"""What run puts together: the supervisor's partners, and what one life of the agent leaves to the next."""
