"""The operators' command `dead-letters`: what was set aside and why, and how it joins history again."""
