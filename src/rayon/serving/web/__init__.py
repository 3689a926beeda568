"""The web application: pages for people who never open a terminal."""
