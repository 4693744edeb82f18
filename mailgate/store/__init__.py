"""What is kept, in SQLite or PostgreSQL through SQLAlchemy; ``database`` says which errors leave this package."""
