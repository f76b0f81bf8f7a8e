"""The second organism: a healthy agent, until post-training that itself shows agents doing the harm."""
