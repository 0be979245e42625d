"""What runs measured, side by side: computed from run directories, without any server."""
