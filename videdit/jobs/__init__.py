"""Words of the user -> render jobs -> clips with sources and outputs, and what is done of them."""
