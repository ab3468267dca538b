"""One picture -> its faces, their points and parts, and how well they can be edited."""
