"""The comparison: several runs beside each other, as numbers, pictures and text."""
