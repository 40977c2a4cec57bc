"""The models that come with the agent, and what makes them."""
