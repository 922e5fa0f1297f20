"""Code location training: training examples, knowledge bases and how well they are retrieved."""
