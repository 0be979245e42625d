"""What is done with W&B after the trainings: sending their files, and a dashboard over their runs."""
