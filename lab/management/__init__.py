"""Django finds the lab's command here."""
