"""A class answers together: rooms and answers in a database, questions from the model, class against model."""
