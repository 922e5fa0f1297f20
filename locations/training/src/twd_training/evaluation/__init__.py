"""Evaluation: labelled questions, retrieval scores, their history."""
