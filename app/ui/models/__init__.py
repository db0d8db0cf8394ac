"""What views show: frozen values, and item models over them."""
