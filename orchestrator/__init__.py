"""Who runs when, who may land, who is alive; and the faces that people and programs use."""
