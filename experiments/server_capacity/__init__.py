"""How many streams the live server has in time, beside hostile clients, and its memory."""
